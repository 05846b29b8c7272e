import pytest
import torch
from torch import Tensor

from trainer.objective.mesh_losses import edge_length_loss, face_normal_loss
from trainer.objective.supervised import LossTerms, SelfCorrelationLoss, SupervisedLoss, TermWeights
from trainer.types import HandPrediction, HandTarget

FACES = torch.tensor([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]])
NUM_VERTS, NUM_JOINTS = 9, 21
ALL = TermWeights(1.0, 1.0, 1.0, 1.0, 1.0)


def random_hand(seed: int, *, batch: int = 2) -> HandPrediction:
    rng = torch.Generator().manual_seed(seed)
    return HandPrediction(
        verts_m=0.1 * torch.randn(batch, NUM_VERTS, 3, generator=rng),
        joints_m=0.1 * torch.randn(batch, NUM_JOINTS, 3, generator=rng),
        camera=torch.tensor([8.0, 0.01, -0.02]).repeat(batch, 1),
    )


def moved(hand: HandPrediction, shift_m: tuple[float, float, float]) -> HandPrediction:
    shift = torch.tensor(shift_m)
    return hand._replace(verts_m=hand.verts_m + shift, joints_m=hand.joints_m + shift)


def target_of(hand: HandPrediction) -> HandTarget:
    """The labels that a prediction meets exactly."""
    wrist_m = hand.joints_m[:, :1]
    ndc = hand.camera[:, None, :1] * (hand.joints_m[..., :2] + hand.camera[:, None, 1:])
    return HandTarget(hand.verts_m - wrist_m, hand.joints_m - wrist_m, ndc)


def total(terms: LossTerms) -> Tensor:
    return terms.weighted(ALL)


def test_a_hand_agrees_with_itself() -> None:
    hand = random_hand(0)
    assert total(SelfCorrelationLoss()(hand, hand)).tolist() == [0.0, 0.0]


def test_3d_correlation_ignores_where_the_hand_is() -> None:
    """Sec. 4.2 aligns both hands first, so a shift of one of them must not matter."""
    hand, twin = random_hand(0), random_hand(1)
    here = SelfCorrelationLoss()(hand, twin)
    there = SelfCorrelationLoss()(hand, moved(twin, (0.3, -0.2, 1.0)))
    torch.testing.assert_close(there.joints, here.joints)
    torch.testing.assert_close(there.verts, here.verts)


def test_keypoints_lose_their_mean_and_vertices_the_wrist() -> None:
    """Eq. 3 and Eq. 4 by hand: a wrist alone off by d moves the mean by d/21, and every vertex by d."""
    hand = random_hand(0)
    shift = torch.zeros(NUM_JOINTS, 3)
    shift[0, 0] = 0.21
    terms = SelfCorrelationLoss()(hand, hand._replace(joints_m=hand.joints_m + shift))
    # The wrist is off by 0.20 after centring, the other twenty by 0.01, in one of three coordinates.
    torch.testing.assert_close(terms.joints, torch.full((2,), (0.20 + 20 * 0.01) / (21 * 3)))
    torch.testing.assert_close(terms.verts, torch.full((2,), 0.21 / 3))


def test_projected_correlation_ignores_depth_only() -> None:
    hand, loss = random_hand(0), SelfCorrelationLoss()
    assert loss(hand, moved(hand, (0, 0, 5.0))).projected.tolist() == [0, 0]
    # Eq. 5 by hand: 0.1 m to the right is 0.8 ndc at 8 ndc per metre, in one of two coordinates.
    torch.testing.assert_close(loss(hand, moved(hand, (0.1, 0, 0))).projected, torch.full((2,), 0.4))


def test_correlation_does_not_depend_on_the_order_of_the_passes() -> None:
    hand, twin = random_hand(0), random_hand(1)
    torch.testing.assert_close(
        total(SelfCorrelationLoss()(hand, twin)), total(SelfCorrelationLoss()(twin, hand))
    )


def test_l2_squares_differences() -> None:
    hand = random_hand(0)
    terms = SelfCorrelationLoss(norm="l2")(hand, moved(hand, (0.1, 0, 0)))
    torch.testing.assert_close(terms.projected, torch.full((2,), 0.8**2 / 2))


@pytest.mark.parametrize("detach_original", [False, True])
def test_gradient_reaches_the_original_pass_only_if_asked(detach_original: bool) -> None:
    hand, twin = random_hand(0), random_hand(1)
    hand.joints_m.requires_grad_()
    twin.joints_m.requires_grad_()
    total(SelfCorrelationLoss(detach_original=detach_original)(hand, twin)).sum().backward()
    assert twin.joints_m.grad is not None
    assert torch.isfinite(twin.joints_m.grad).all()
    assert (hand.joints_m.grad is None) == detach_original


@pytest.mark.parametrize(
    ("gamma", "detach_original", "learns"), [(1.0, False, False), (0.1, False, True), (1.0, True, True)]
)
def test_a_twin_that_errs_further_silences_its_photograph_unless_it_weighs_less_or_cannot_reach_it(
    gamma: float, detach_original: bool, learns: bool
) -> None:
    """Absolute distances: the photograph is 10 % too large and its twin 20 %, so it lies in between."""
    hand = random_hand(0)
    photo = hand._replace(verts_m=(1.1 * hand.verts_m).requires_grad_())
    twin = hand._replace(verts_m=1.2 * hand.verts_m)
    target = HandTarget(hand.verts_m, hand.joints_m, torch.zeros(2, NUM_JOINTS, 2))
    hand.joints_m[:, 0] = 0  # wrists at the origin, so that vertices are compared as they are
    correlation = SelfCorrelationLoss(detach_original=detach_original)(photo, twin).verts
    (SupervisedLoss(FACES)(photo, target).verts + gamma * correlation).sum().backward()
    assert photo.verts_m.grad is not None
    assert bool(photo.verts_m.grad.abs().max() > 1e-6) == learns


def test_a_perfect_prediction_costs_nothing_but_normals() -> None:
    """Eq. 10. The normal term is a cosine with edges of the same face, which is zero up to rounding."""
    hand = random_hand(0)
    terms = SupervisedLoss(FACES)(hand, target_of(hand))
    assert max(float(term.max()) for term in terms) < 1e-6


def test_supervision_ignores_where_the_hand_is_but_not_in_the_image() -> None:
    """Eq. 7 and 8 compare hands from their wrists; Eq. 9 sees a shift through the camera."""
    hand = random_hand(0)
    terms = SupervisedLoss(FACES)(moved(hand, (0.1, 0.0, 2.0)), target_of(hand))
    assert float(terms.joints.max()) < 1e-6
    assert float(terms.verts.max()) < 1e-6
    torch.testing.assert_close(terms.projected, torch.full((2,), 0.4))


def test_one_wrong_vertex_costs_its_share() -> None:
    """Eq. 8 by hand: 27 coordinates, one of them off by 0.27."""
    hand = random_hand(0)
    wrong = hand.verts_m.clone()
    wrong[:, 5, 2] += 0.27
    terms = SupervisedLoss(FACES)(hand._replace(verts_m=wrong), target_of(hand))
    torch.testing.assert_close(terms.verts, torch.full((2,), 0.01))


def test_coarse_and_fine_mesh_share_one_weight() -> None:
    """FastMETRO: 0.5 for each."""
    hand, kept = random_hand(0), torch.tensor([0, 2, 5])
    coarse_m = hand.verts_m[:, kept] + torch.tensor([0.3, 0.0, 0.0])
    terms = SupervisedLoss(FACES, coarse_vert_ids=kept)(
        hand._replace(coarse_verts_m=coarse_m), target_of(hand)
    )
    torch.testing.assert_close(terms.verts, torch.full((2,), 0.5 * 0.1))


def test_joint_tokens_count_beside_the_joints_of_the_mesh() -> None:
    """FastMETRO adds both sets, in 3D and in the image."""
    hand = random_hand(0)
    other = random_hand(1)
    alone = SupervisedLoss(FACES)(other, target_of(hand))
    both = SupervisedLoss(FACES)(other._replace(token_joints_m=other.joints_m), target_of(hand))
    torch.testing.assert_close(both.joints, 2 * alone.joints)
    torch.testing.assert_close(both.projected, 2 * alone.projected)


def test_samples_do_not_mix() -> None:
    """Eq. 11 masks samples, so the loss of one must not know the other."""
    hands, target = random_hand(0), target_of(random_hand(1))
    together = SupervisedLoss(FACES)(hands, target)
    alone = SupervisedLoss(FACES)(hands.rows(slice(1)), HandTarget(*(label[:1] for label in target)))
    torch.testing.assert_close(total(together)[:1], total(alone))


@pytest.mark.parametrize("term", TermWeights._fields)
def test_each_weight_scales_its_own_term(term: str) -> None:
    terms = SupervisedLoss(FACES)(random_hand(0), target_of(random_hand(1)))
    weights = TermWeights(0, 0, 0, 0, 0)._replace(**{term: 3.0})
    torch.testing.assert_close(terms.weighted(weights), 3 * getattr(terms, term))


def test_a_hand_twice_as_large_has_edges_twice_as_long() -> None:
    verts = torch.tensor([[[0.0, 0, 0], [3, 0, 0], [0, 4, 0], [0, 0, 0]]])
    triangle = torch.tensor([[0, 1, 2]])
    assert edge_length_loss(2 * verts, verts, triangle).item() == pytest.approx((3 + 4 + 5) / 3)


def test_edge_lengths_and_normals_ignore_translation_and_normals_also_size() -> None:
    found, wanted = random_hand(0).verts_m, random_hand(1).verts_m
    torch.testing.assert_close(
        edge_length_loss(found + 1, wanted, FACES), edge_length_loss(found, wanted, FACES), rtol=1e-4, atol=0
    )
    torch.testing.assert_close(
        face_normal_loss(3 * found, wanted, FACES), face_normal_loss(found, wanted, FACES)
    )


def test_an_edge_along_the_true_normal_costs_one() -> None:
    wanted = torch.tensor([[[0.0, 0, 0], [1, 0, 0], [0, 1, 0]]])
    found = torch.tensor([[[0.0, 0, 0], [0, 0, 1], [0, 0, 5]]])
    assert face_normal_loss(found, wanted, torch.tensor([[0, 1, 2]])).item() == pytest.approx(1.0)


def test_collapsed_edges_have_finite_gradients() -> None:
    found = torch.zeros(1, NUM_VERTS, 3, requires_grad=True)
    wanted = random_hand(0, batch=1).verts_m
    (edge_length_loss(found, wanted, FACES) + face_normal_loss(found, wanted, FACES)).sum().backward()
    assert found.grad is not None
    assert torch.isfinite(found.grad).all()
