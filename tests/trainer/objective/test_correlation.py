import pytest
import torch

from tests.support.random_hands import FACES, NUM_JOINTS, ONES, moved, random_hand
from trainer.objective.correlation import SelfCorrelationLoss
from trainer.objective.supervised import SupervisedLoss
from trainer.objective.terms import TermNorms, TermWeights
from trainer.types import HandPrediction, HandTarget, TwinViews


def test_a_hand_agrees_with_itself() -> None:
    hand = random_hand(0)
    assert SelfCorrelationLoss(ONES)(hand, hand).total.tolist() == [0.0, 0.0]


def test_3d_correlation_ignores_where_the_hand_is() -> None:
    """Sec. 4.2 aligns both hands first, so a shift of one of them must not matter."""
    hand, twin = random_hand(0), random_hand(1)
    here = SelfCorrelationLoss(ONES)(hand, twin)
    there = SelfCorrelationLoss(ONES)(hand, moved(twin, (0.3, -0.2, 1.0)))
    torch.testing.assert_close(there.joints, here.joints)
    torch.testing.assert_close(there.verts, here.verts)


def test_keypoints_lose_their_mean_and_vertices_the_wrist() -> None:
    """Eq. 3 and Eq. 4 by hand: a wrist alone off by d moves the mean by d/21, and every vertex by d."""
    hand = random_hand(0)
    shift = torch.zeros(NUM_JOINTS, 3)
    shift[0, 0] = 0.21
    terms = SelfCorrelationLoss(ONES)(hand, hand._replace(joints_m=hand.joints_m + shift))
    # The wrist is off by 0.20 after centring, the other twenty by 0.01, in one of three coordinates.
    torch.testing.assert_close(terms.joints, torch.full((2,), (0.20 + 20 * 0.01) / (21 * 3)))
    torch.testing.assert_close(terms.verts, torch.full((2,), 0.21 / 3))


def test_projected_correlation_ignores_depth_only() -> None:
    hand, loss = random_hand(0), SelfCorrelationLoss(ONES)
    assert loss(hand, moved(hand, (0, 0, 5.0))).projected.tolist() == [0, 0]
    # Eq. 5 by hand: 0.1 m to the right is 0.8 ndc at 8 ndc per metre, in one of two coordinates.
    torch.testing.assert_close(loss(hand, moved(hand, (0.1, 0, 0))).projected, torch.full((2,), 0.4))


def test_correlation_does_not_depend_on_the_order_of_the_passes() -> None:
    hand, twin = random_hand(0), random_hand(1)
    torch.testing.assert_close(
        SelfCorrelationLoss(ONES)(hand, twin).total, SelfCorrelationLoss(ONES)(twin, hand).total
    )


def test_l2_squares_differences() -> None:
    hand = random_hand(0)
    terms = SelfCorrelationLoss(ONES, norms=TermNorms("l2", "l2", "l2"))(hand, moved(hand, (0.1, 0, 0)))
    torch.testing.assert_close(terms.projected, torch.full((2,), 0.8**2 / 2))


@pytest.mark.parametrize("detach_original", [False, True])
def test_gradient_reaches_the_original_pass_only_if_asked(detach_original: bool) -> None:
    hand, twin = random_hand(0), random_hand(1)
    hand.joints_m.requires_grad_()
    twin.joints_m.requires_grad_()
    SelfCorrelationLoss(ONES, detach_original=detach_original)(hand, twin).total.sum().backward()
    assert twin.joints_m.grad is not None
    assert torch.isfinite(twin.joints_m.grad).all()
    assert (hand.joints_m.grad is None) == detach_original


@pytest.mark.parametrize(
    ("gamma", "detach_original", "learns"), [(1.0, False, False), (0.1, False, True), (1.0, True, True)]
)
def test_a_twin_that_errs_further_silences_its_photograph_unless_held_back(
    gamma: float, detach_original: bool, learns: bool
) -> None:
    """Absolute distances: the photograph is 10 % too large and its twin 20 %, so it lies in between."""
    hand = random_hand(0)
    photo = hand._replace(verts_m=(1.1 * hand.verts_m).requires_grad_())
    twin = hand._replace(verts_m=1.2 * hand.verts_m)
    target = HandTarget(hand.verts_m, hand.joints_m, torch.zeros(2, NUM_JOINTS, 2))
    hand.joints_m[:, 0] = 0  # wrists at the origin, so that vertices are compared as they are
    correlation = SelfCorrelationLoss(ONES, detach_original=detach_original)(photo, twin).verts
    (SupervisedLoss(FACES, ONES)(photo, target).verts + gamma * correlation).sum().backward()
    assert photo.verts_m.grad is not None
    assert bool(photo.verts_m.grad.abs().max() > 1e-6) == learns


def test_edges_and_normals_have_no_part_in_the_correlation() -> None:
    terms = SelfCorrelationLoss(ONES)(random_hand(0), random_hand(1))
    assert terms.unweighted().keys() == {"joints", "verts", "projected"}
    torch.testing.assert_close(terms.total, terms.joints + terms.verts + terms.projected)


@pytest.mark.parametrize("term", ["joints", "verts", "projected"])
def test_each_weight_scales_its_own_term(term: str) -> None:
    """Eq. 6."""
    weights = TermWeights(*(0.0 for _ in TermWeights._fields))._replace(**{term: 3.0})
    terms = SelfCorrelationLoss(weights)(random_hand(0), random_hand(1))
    torch.testing.assert_close(terms.total, 3 * getattr(terms, term))


def test_a_twin_from_another_side_is_compared_in_the_view_of_its_photograph() -> None:
    """The camera still shows the middle of its joints there, so Eq. 3 to 5 are 0 once it is turned back."""
    hand = random_hand(0)
    turns = torch.linalg.qr(torch.randn(2, 3, 3, generator=torch.Generator().manual_seed(3)))[0]
    middle_m = hand.joints_m.mean(dim=1, keepdim=True)
    seen = hand._replace(
        verts_m=(hand.verts_m - middle_m) @ turns.mT + middle_m,
        joints_m=(hand.joints_m - middle_m) @ turns.mT + middle_m,
    )
    assert SelfCorrelationLoss(ONES)(hand, seen).total.min() > 0.01
    in_one_view = SelfCorrelationLoss(ONES)(hand, seen.turned_back(turns)).total
    torch.testing.assert_close(in_one_view, torch.zeros(2), atol=1e-5, rtol=0)


def test_centred_projections_ignore_where_the_hand_is_in_the_image() -> None:
    """The other reading of Sec. 4.2, for Eq. 5."""
    hand, twin = random_hand(0), random_hand(1)
    loss = SelfCorrelationLoss(ONES, centres_projected=True)
    here, there = (loss(hand, each).projected for each in (twin, moved(twin, (0.1, 0.2, 0))))
    torch.testing.assert_close(there, here)
    assert here.min() > 0.01
    torch.testing.assert_close(
        loss(hand, moved(hand, (0.1, 0, 0))).projected, torch.zeros(2), atol=1e-5, rtol=0
    )


def with_all_outputs(hand: HandPrediction, seed: int) -> HandPrediction:
    """The same hand with joint tokens and a coarse mesh, which disagree with it."""
    other = random_hand(seed)
    return hand._replace(token_joints_m=other.joints_m, coarse_verts_m=other.verts_m[:, :4])


def test_joint_tokens_and_coarse_meshes_have_no_part_unless_asked() -> None:
    hand, twin = random_hand(0), random_hand(1)
    everything = with_all_outputs(hand, 2), with_all_outputs(twin, 3)
    plain = SelfCorrelationLoss(ONES)
    torch.testing.assert_close(plain(*everything), plain(hand, twin))


def test_all_outputs_are_compared_as_supervision_compares_them() -> None:
    """Sets of joints are summed in Eq. 3 and Eq. 5, and the coarse mesh has half of Eq. 4."""
    hand, twin = with_all_outputs(random_hand(0), 2), with_all_outputs(random_hand(1), 3)
    loss, plain = SelfCorrelationLoss(ONES, all_outputs=True), SelfCorrelationLoss(ONES)
    found = loss(hand, twin)
    mesh = plain(hand, twin)
    tokens = plain(*(random_hand(seed) for seed in (2, 3)))
    torch.testing.assert_close(found.joints, mesh.joints + tokens.joints)
    torch.testing.assert_close(found.projected, mesh.projected + tokens.projected)
    coarse = plain(
        *(
            each._replace(verts_m=each.coarse_verts_m)
            for each in (hand, twin)
            if each.coarse_verts_m is not None
        )
    )
    torch.testing.assert_close(found.verts, (mesh.verts + coarse.verts) / 2)
    torch.testing.assert_close(loss(hand, hand).total, torch.zeros(2))


def test_with_the_photographs_camera_the_twins_own_does_not_count() -> None:
    """Neither do places: a hand that is seen elsewhere, or larger, is the same from the same wrist."""
    hand, twin = with_all_outputs(random_hand(0), 2), with_all_outputs(random_hand(1), 3)
    loss = SelfCorrelationLoss(ONES, all_outputs=True, photographs_camera=True)
    elsewhere = twin._replace(camera=torch.tensor([[3.0, 0.2, 0.1]]).repeat(2, 1))
    torch.testing.assert_close(loss(hand, elsewhere), loss(hand, twin))
    plain = SelfCorrelationLoss(ONES, photographs_camera=True)
    torch.testing.assert_close(
        plain(hand, moved(hand, (0.1, 0.2, 0))).projected, torch.zeros(2), atol=1e-5, rtol=0
    )
    # Eq. 5 by hand: one fingertip 0.1 m to the right is 0.8 ndc at the photograph's 8 ndc per metre.
    bent_m = hand.joints_m.clone()
    bent_m[:, 8, 0] += 0.1
    bent = hand._replace(joints_m=bent_m, camera=elsewhere.camera)
    torch.testing.assert_close(plain(hand, bent).projected, torch.full((2,), 0.8 / (21 * 2)))


def test_a_twin_in_a_crop_of_its_own_is_compared_in_that_of_its_photograph() -> None:
    """The same hand in a crop that is turned by a right angle, half as large, and shifted."""
    hand = random_hand(0)
    quarter = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    turn = torch.block_diag(quarter, torch.ones(1, 1))
    middle_m = hand.joints_m.mean(dim=1, keepdim=True)
    shift_ndc = torch.tensor([0.3, -0.1])
    scale, shift_m = hand.camera[:, :1] / 2, hand.camera[:, 1:]
    middle_ndc = (middle_m[:, 0, :2] + shift_m) @ quarter.mT * scale + shift_ndc
    seen = hand._replace(
        verts_m=(hand.verts_m - middle_m) @ turn.mT + middle_m,
        joints_m=(hand.joints_m - middle_m) @ turn.mT + middle_m,
        camera=torch.cat((scale, middle_ndc / scale - middle_m[:, 0, :2]), dim=1),
    )
    back = torch.cat((2 * quarter.mT, -2 * (quarter.mT @ shift_ndc)[:, None]), dim=1)
    views = TwinViews(turn.repeat(2, 1, 1), back.repeat(2, 1, 1))
    loss = SelfCorrelationLoss(ONES)
    assert loss(hand, seen).projected.min() > 0.1
    torch.testing.assert_close(loss(hand, seen.seen_with(views)).total, torch.zeros(2), atol=1e-5, rtol=0)
