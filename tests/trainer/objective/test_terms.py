import torch

from tests.support.random_hands import knowing
from trainer.objective.terms import LossTerms, mean_distance, mean_of


def terms_of(hands: int) -> LossTerms:
    one = torch.arange(float(hands), requires_grad=True)
    return LossTerms(total=3 * one, joints=one, verts=one, projected=one)


def test_means_are_over_all_hands_and_carry_no_graph() -> None:
    means = terms_of(4).mean()
    assert means is not None
    assert (means.total.item(), means.joints.item(), means.edges) == (4.5, 1.5, None)
    assert not means.total.requires_grad


def test_no_hands_have_no_mean() -> None:
    """A mean of nothing would be NaN, and stay in the log of the round."""
    assert terms_of(0).mean() is None


def test_a_term_that_a_comparison_lacks_is_not_logged() -> None:
    assert terms_of(1).unweighted().keys() == {"joints", "verts", "projected"}


def test_distances_are_averaged_over_points_and_coordinates_of_each_hand() -> None:
    found = torch.zeros(2, 5, 3)
    found[1, 4, 2] = 3.0
    torch.testing.assert_close(mean_distance(found, torch.zeros(2, 5, 3), "l1"), torch.tensor([0, 3 / 15]))
    torch.testing.assert_close(mean_distance(found, torch.zeros(2, 5, 3), "l2"), torch.tensor([0, 9 / 15]))


def test_means_are_over_the_hands_whose_labels_are_known() -> None:
    """Vertices of the last hand, joints of the last two, places of none; unknown terms are 0."""
    known = knowing(verts=[False, False, True], joints=[False, True, True], places=[False] * 3)
    nothing = torch.zeros(3)
    terms = LossTerms(
        total=torch.tensor([0.0, 4.0, 8.0]),
        joints=torch.tensor([0.0, 4.0, 6.0]),
        verts=torch.tensor([0.0, 0.0, 2.0]),
        projected=nothing,
    )
    means = terms.mean(known)
    assert means is not None
    assert [each.item() for each in means[:3]] == [6, 5, 2]
    assert means.projected.isnan()
    joined = mean_of([means, means._replace(joints=torch.tensor(torch.nan))])
    assert joined is not None
    assert joined.joints == 5
