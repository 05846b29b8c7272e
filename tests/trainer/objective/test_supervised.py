import pytest
import torch

from shared.hand_model.loading import load_hand_model
from tests.support.random_hands import (
    FACES,
    NUM_JOINTS,
    NUM_VERTS,
    ONES,
    knowing,
    moved,
    random_hand,
    target_of,
)
from trainer.objective.supervised import SupervisedLoss, edge_length_loss, face_normal_loss
from trainer.objective.terms import TermNorms, TermWeights
from trainer.types import HandPrediction, HandTarget


def test_a_perfect_prediction_costs_nothing_but_normals() -> None:
    """Eq. 10. The normal term is a cosine with edges of the same face, which is zero up to rounding."""
    hand = random_hand(0)
    terms = SupervisedLoss(FACES, ONES)(hand, target_of(hand))
    assert float(terms.total.max()) < 1e-6
    assert max(float(term.max()) for term in terms.unweighted().values()) < 1e-6


def test_supervision_ignores_where_the_hand_is_but_not_in_the_image() -> None:
    """Eq. 7 and 8 compare hands from their wrists; Eq. 9 sees a shift through the camera."""
    hand = random_hand(0)
    terms = SupervisedLoss(FACES, ONES)(moved(hand, (0.1, 0.0, 2.0)), target_of(hand))
    assert float(terms.joints.max()) < 1e-6
    assert float(terms.verts.max()) < 1e-6
    torch.testing.assert_close(terms.projected, torch.full((2,), 0.4))


def test_joints_outside_of_the_crop_can_be_left_out_of_the_image_alone() -> None:
    """Of 42 coordinates, one inside is off by 0.42, and one of a joint outside by 5."""
    hand = random_hand(0)
    target = target_of(hand)
    wanted_ndc = target.joints_ndc.clamp(-0.9, 0.9)
    wanted_ndc[:, 7] = torch.tensor([1.2, 0.0])
    camera = hand.camera
    seen = (wanted_ndc / camera[:, None, :1]) - camera[:, None, 1:]
    joints_m = torch.cat((seen, hand.joints_m[..., 2:]), dim=2)
    joints_m[:, 3, 0] += 0.42 / camera[:, 0]
    joints_m[:, 7, 1] += 5 / camera[:, 0]
    target = target._replace(joints_ndc=wanted_ndc)
    inside, all_of_them = (
        SupervisedLoss(FACES, ONES, projected_outside=counts)(hand._replace(joints_m=joints_m), target)
        for counts in (False, True)
    )
    torch.testing.assert_close(inside.projected, torch.full((2,), 0.42 / 42))
    torch.testing.assert_close(all_of_them.projected, torch.full((2,), 5.42 / 42))
    torch.testing.assert_close(inside.joints, all_of_them.joints)


def test_one_wrong_vertex_costs_its_share() -> None:
    """Eq. 8 by hand: 27 coordinates, one of them off by 0.27."""
    hand = random_hand(0)
    wrong = hand.verts_m.clone()
    wrong[:, 5, 2] += 0.27
    terms = SupervisedLoss(FACES, ONES)(hand._replace(verts_m=wrong), target_of(hand))
    torch.testing.assert_close(terms.verts, torch.full((2,), 0.01))


def test_coarse_and_fine_mesh_share_one_weight() -> None:
    """FastMETRO: 0.5 for each."""
    hand, kept = random_hand(0), torch.tensor([0, 2, 5])
    coarse_m = hand.verts_m[:, kept] + torch.tensor([0.3, 0.0, 0.0])
    terms = SupervisedLoss(FACES, ONES, coarse_vert_ids=kept)(
        hand._replace(coarse_verts_m=coarse_m), target_of(hand)
    )
    torch.testing.assert_close(terms.verts, torch.full((2,), 0.5 * 0.1))


def test_joint_tokens_count_beside_the_joints_of_the_mesh() -> None:
    """FastMETRO adds both sets, in 3D and in the image."""
    hand = random_hand(0)
    other = random_hand(1)
    alone = SupervisedLoss(FACES, ONES)(other, target_of(hand))
    both = SupervisedLoss(FACES, ONES)(other._replace(token_joints_m=other.joints_m), target_of(hand))
    torch.testing.assert_close(both.joints, 2 * alone.joints)
    torch.testing.assert_close(both.projected, 2 * alone.projected)


def test_a_network_without_heat_maps_has_no_term_for_them() -> None:
    hand = random_hand(0)
    without = SupervisedLoss(FACES, ONES)(hand, target_of(hand))
    assert "heat" not in without.unweighted()
    cold = SupervisedLoss(FACES, ONES)(
        hand._replace(heat_logits=torch.zeros(2, NUM_JOINTS, 8, 8)), target_of(hand)
    )
    assert cold.heat is not None
    torch.testing.assert_close(cold.total, without.total + cold.heat)


def test_samples_do_not_mix() -> None:
    """Eq. 11 masks samples, so the loss of one must not know the other."""
    hands, target = random_hand(0), target_of(random_hand(1))
    together = SupervisedLoss(FACES, ONES)(hands, target)
    alone = SupervisedLoss(FACES, ONES)(hands.rows(slice(1)), target.rows(slice(1)))
    torch.testing.assert_close(together.total[:1], alone.total)


@pytest.mark.parametrize("term", TermWeights._fields)
def test_each_weight_scales_its_own_term(term: str) -> None:
    """Eq. 10."""
    weights = TermWeights(*(0.0 for _ in TermWeights._fields))._replace(**{term: 3.0})
    hand = random_hand(0)._replace(heat_logits=torch.zeros(2, NUM_JOINTS, 8, 8))
    terms = SupervisedLoss(FACES, weights)(hand, target_of(random_hand(1)))
    torch.testing.assert_close(terms.total, 3 * getattr(terms, term))


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


def test_the_bits_of_a_gradient_do_not_depend_on_which_thread_comes_first() -> None:
    """An odd number of hands is cut in the middle of one, whose vertices two threads add up."""
    faces = torch.from_numpy(load_hand_model().faces).long()
    torch.manual_seed(0)
    found, wanted = torch.randn(5, int(faces.max()) + 1, 3, requires_grad=True), torch.randn(5, 778, 3)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        seen = set()
        for _ in range(200):
            (gradient,) = torch.autograd.grad(edge_length_loss(found, wanted, faces).sum(), found)
            seen.add(gradient.numpy().tobytes())
    finally:
        torch.set_num_threads(threads)
    assert len(seen) == 1


def test_every_term_has_its_own_distance() -> None:
    """METRO: squared joints and projections, absolute vertices."""
    hand, other = random_hand(0), random_hand(1)
    norms = TermNorms(joints="l2", verts="l1", projected="l2")
    mixed = SupervisedLoss(FACES, ONES, norms=norms)(other, target_of(hand))
    absolute = SupervisedLoss(FACES, ONES)(other, target_of(hand))
    squared = SupervisedLoss(FACES, ONES, norms=TermNorms("l2", "l2", "l2"))(other, target_of(hand))
    torch.testing.assert_close(mixed.joints, squared.joints)
    torch.testing.assert_close(mixed.verts, absolute.verts)
    torch.testing.assert_close(mixed.projected, squared.projected)
    assert (mixed.verts != squared.verts).all()


def test_a_hand_without_labels_costs_nothing_and_has_no_gradient() -> None:
    """The numbers that stand in the place of labels mean nothing, and the hand beside it is as always."""
    hand = random_hand(0)._replace(heat_logits=torch.zeros(2, NUM_JOINTS, 8, 8))
    hand = hand._replace(token_joints_m=hand.joints_m + 0.01, coarse_verts_m=hand.verts_m[:, :4] + 0.01)
    hand = hand.each(lambda value: value.clone().requires_grad_())
    loss = SupervisedLoss(
        FACES,
        ONES,
        coarse_vert_ids=torch.arange(4),
        extra=[(lambda found, _: found.verts_m.square().sum(dim=(1, 2)), 2.0)],
    )
    target = target_of(random_hand(1))
    known = knowing(verts=[True, False], joints=[True, False], places=[True, False])
    terms = loss(hand, target._replace(known=known))
    whole = loss(hand, target)
    for term, as_always in zip(terms, whole, strict=True):
        assert torch.equal(term[0], as_always[0])
        assert term[1] == 0 != as_always[1]
    terms.total.sum().backward()
    for value in (hand.verts_m, hand.joints_m, hand.camera, hand.token_joints_m, hand.heat_logits):
        assert value is not None
        assert value.grad is not None
        assert value.grad[0].abs().sum() > 0
        assert value.grad[1].abs().sum() == 0


def test_a_term_of_ones_own_never_sees_a_hand_without_labels() -> None:
    """What it makes of one may be no number, and nothing times that is no number either."""
    hand = random_hand(0).each(lambda value: value.clone().requires_grad_())
    target = target_of(random_hand(1))
    target = target._replace(verts_m=torch.stack((target.verts_m[0], torch.zeros_like(target.verts_m[1]))))

    def relative(found: HandPrediction, wanted: HandTarget) -> torch.Tensor:
        shares: torch.Tensor = found.verts_m.square().sum(dim=(1, 2)) / wanted.verts_m.square().sum(
            dim=(1, 2)
        )
        return shares

    loss = SupervisedLoss(FACES, ONES, extra=[(relative, 2.0)])
    for verts in ([True, False], [False, False]):
        known = knowing(verts=verts, joints=verts, places=verts)
        total = loss(hand, target._replace(known=known)).total
        assert total.isfinite().all()
        assert total[1] == 0
        assert bool(total[0] != 0) == verts[0]
        (grad,) = torch.autograd.grad(total.sum(), hand.verts_m)
        assert grad.isfinite().all()


def test_joints_alone_and_places_alone_train_the_terms_that_they_allow() -> None:
    hand, target = random_hand(0), target_of(random_hand(1))
    known = knowing(verts=[False, False], joints=[True, False], places=[True, True])
    terms, whole = (
        SupervisedLoss(FACES, ONES)(hand, labels) for labels in (target._replace(known=known), target)
    )
    assert terms.verts.tolist() == [0, 0]
    assert terms.edges is not None
    assert terms.edges.tolist() == [0, 0]
    assert torch.equal(terms.projected, whole.projected)
    assert terms.joints.tolist() == [whole.joints[0].item(), 0]


def test_a_joint_counts_the_same_whether_or_not_others_are_known() -> None:
    hand, target = random_hand(0), target_of(random_hand(1))
    loss = SupervisedLoss(FACES, ONES)
    parts = []
    for first in (True, False):
        known = knowing(verts=[False] * 2, joints=[False] * 2, places=[True] * 2)
        known.places[:, :9], known.places[:, 9:] = first, not first
        parts.append(loss(hand, target._replace(known=known)).projected)
    torch.testing.assert_close(parts[0] + parts[1], loss(hand, target).projected)
