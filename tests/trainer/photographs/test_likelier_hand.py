"""A doubted side goes to the hand that the network sees better; a sure one, and a given one, stay."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from shared.seams.hand_finder import HandSquare
from tests.support.small_hands import open_hand
from tests.support.small_trained import as_trained, tiny_trained
from trainer.networks.base import HandNetwork
from trainer.photographs.hand import LookedAt, predict_pictures
from trainer.photographs.likelier_hand import DOUBTED, predict_likelier_hands
from trainer.photographs.options import PredictOptions
from trainer.types import HandPrediction

BRIGHT_LEFT = np.tile(np.linspace(250, 5, 64).astype(np.uint8)[None, :, None], (64, 1, 3))
"""Seen as it is, this is bright on the left; seen as a left hand, in a mirror, on the right."""


class SureOfBrightRight(HandNetwork):
    """Is as unsure of a crop as its left half is bright; counts what it sees."""

    def __init__(self, *, ratio: float) -> None:
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(()))
        self.ratio = ratio
        self.seen = 0

    def forward(self, images: Tensor) -> HandPrediction:
        self.seen += len(images)
        grey = images.mean(dim=1)
        half = grey.shape[2] // 2
        is_unsure = (grey[:, :, :half].mean(dim=(1, 2)) > grey[:, :, half:].mean(dim=(1, 2))).float()
        verts_m = torch.from_numpy(open_hand().template_m).expand(len(images), -1, -1)
        joints_m = torch.from_numpy(open_hand().joint_regressor) @ verts_m
        camera = torch.tensor([[5.0, 0.0, 0.0]]).expand(len(images), -1)
        spreads = (0.1 * self.ratio**is_unsure)[:, None].expand(-1, 21)
        return HandPrediction(verts_m, joints_m, camera, spreads_ndc=spreads)


def square(log_odds: float) -> HandSquare:
    return HandSquare(centre_px=(31.5, 31.5), size_px=64, side="right", side_log_odds=log_odds)


@pytest.mark.parametrize(
    ("log_odds", "ratio", "side"),
    [
        (0.5, 1.5, "left"),  # a doubt, and much surer of the other hand
        (0.5, 1.01, "right"),  # a doubt, and hardly surer
        (DOUBTED - 0.1, 1.5, "left"),
        (DOUBTED, 1.5, "right"),  # no doubt
        (math.inf, 1.5, "right"),  # a person said so
    ],
)
def test_a_doubted_side_goes_to_the_hand_that_is_seen_better(
    log_odds: float, ratio: float, side: str
) -> None:
    trained = as_trained(SureOfBrightRight(ratio=ratio))
    ((hand,),) = predict_likelier_hands(trained, [LookedAt(BRIGHT_LEFT, [square(log_odds)])])
    assert hand.side == side
    given = replace(square(math.inf), side=hand.side)
    ((expected,),) = predict_pictures(trained, [LookedAt(BRIGHT_LEFT, [given])])
    np.testing.assert_array_equal(hand.verts_m, expected.verts_m)
    assert hand.wrist_px == expected.wrist_px


def test_only_doubted_hands_are_looked_at_as_either_and_all_keep_their_places() -> None:
    network = SureOfBrightRight(ratio=1.5)
    squares = [square(0.5), replace(square(math.inf), size_px=40), replace(square(5.0), size_px=30)]
    pictures = [LookedAt(BRIGHT_LEFT, squares), LookedAt(BRIGHT_LEFT, []), LookedAt(BRIGHT_LEFT, squares[:1])]
    first, second, third = predict_likelier_hands(as_trained(network), pictures)
    assert [hand.side for hand in first] == ["left", "right", "right"]
    assert [hand.square.size_px for hand in first] == [64, 40, 30]
    assert second == []
    assert [hand.side for hand in third] == ["left"]
    assert network.seen == 4 + 2


def test_a_network_that_does_not_say_how_unsure_it_is_leaves_sides_as_they_are() -> None:
    ((hand,),) = predict_likelier_hands(tiny_trained(), [LookedAt(BRIGHT_LEFT, [square(0.0)])])
    assert hand.square == square(0.0)


@pytest.mark.parametrize("looks", [1, 2])
def test_the_command_decides_sides_so(looks: int) -> None:
    trained = as_trained(SureOfBrightRight(ratio=1.5))
    ((hand,),) = PredictOptions(looks=looks).predict(trained, [LookedAt(BRIGHT_LEFT, [square(0.5)])])
    assert hand.side == "left"
