"""A loss: bones should be as long as those of the label."""

from torch import Tensor

from shared.skeleton import BONES
from trainer.types import HandPrediction, HandTarget


def bone_lengths(hand: HandPrediction, label: HandTarget) -> Tensor:
    """Return the mean difference of bone lengths in metres, one number per hand."""
    starts, ends = (list(column) for column in zip(*BONES, strict=True))
    found_m, wanted_m = (
        (joints_m[:, ends] - joints_m[:, starts]).norm(dim=-1) for joints_m in (hand.joints_m, label.joints_m)
    )
    return (found_m - wanted_m).abs().mean(dim=1)
