"""Hands of any side, anywhere in a picture of any size: found where they are, and exact in a mirror."""

from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from shared.camera import project_px
from shared.seams.hand_finder import HandSquare
from shared.types import WeakPerspective
from tests.support.small_dataset import SIZE_PX, small_split
from tests.support.small_hands import open_hand
from tests.support.small_trained import INPUT_PX, as_trained, tiny_trained
from trainer.evaluation.predict import predict_split
from trainer.networks.base import HandNetwork
from trainer.photographs.finders import CentreCrop, GivenBoxes
from trainer.photographs.hand import LookedAt, PhotographedHand, predict_hands, predict_pictures
from trainer.run.trained import TrainedHand
from trainer.types import HandPrediction

SPOT_PX = (413.0, 152.0)


class SpotFinder(HandNetwork):
    """Puts the wrist of a hand off the origin onto the mean place of what is bright in the crop."""

    scale = 7.0

    def __init__(self) -> None:
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(()))

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> HandPrediction:
        weight = (images.mean(dim=1) - images.mean(dim=1).amin(dim=(1, 2), keepdim=True)).clamp(min=0)
        ndc = (torch.arange(images.shape[-1]) + 0.5) * (2 / images.shape[-1]) - 1
        total = weight.sum(dim=(1, 2))
        spot = torch.stack([(weight.sum(dim=1) @ ndc) / total, (weight.sum(dim=2) @ ndc) / total], dim=1)
        model = open_hand()
        verts_m = torch.from_numpy(model.template_m + np.float32(0.04)).expand(len(images), -1, -1)
        joints_m = torch.from_numpy(model.joint_regressor) @ verts_m
        camera = torch.cat(
            [torch.full((len(images), 1), self.scale), spot / self.scale - joints_m[:, 0, :2]], dim=1
        )
        return HandPrediction(verts_m, joints_m, camera)


def big_picture() -> np.ndarray:
    rgb = np.full((480, 640, 3), 20, np.uint8)
    x, y = (int(value) for value in SPOT_PX)
    rgb[y - 6 : y + 7, x - 6 : x + 7] = 250
    return rgb


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (120, 201, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def trained() -> TrainedHand:
    return tiny_trained()


@pytest.mark.parametrize("box", [(380, 120, 70, 70), (340, 60, 120, 150), (400, 140, 25, 40)])
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_hand_is_found_where_it_is_whatever_the_box(box: tuple[int, int, int, int], side: str) -> None:
    finder = GivenBoxes([box], ["left" if side == "left" else "right"], margin=1.5)
    rgb = big_picture()
    (hand,) = predict_hands(as_trained(SpotFinder()), rgb, finder.find(rgb))
    np.testing.assert_allclose(hand.wrist_px, SPOT_PX, atol=0.15)
    np.testing.assert_allclose(hand.project(hand.joints_m[:1]), [SPOT_PX], atol=0.15)
    assert hand.scale_px_per_m == pytest.approx(SpotFinder.scale * 1.5 * max(box[2:]) / 2)


def test_pixels_are_those_of_the_crop_put_back_into_the_picture(trained: TrainedHand) -> None:
    """Done by hand: the crop is (-1, 1) wide, and its middle lies where the place says."""
    square = HandSquare(centre_px=(40.5, 77.0), size_px=66.0, side="right")
    (hand,) = predict_hands(trained, noise(), [square])
    joints_px = hand.project(hand.joints_m)
    scale = hand.scale_px_per_m * 2 / square.size_px
    shift_m = (np.array(hand.wrist_px) - square.centre_px) / hand.scale_px_per_m
    crop_px = project_px(hand.joints_m, WeakPerspective(scale, *shift_m.tolist()), size_px=INPUT_PX)
    left_top = np.array(square.centre_px) - square.size_px / 2
    np.testing.assert_allclose(joints_px, left_top + (crop_px + 0.5) * square.size_px / INPUT_PX, atol=1e-3)


def test_photographs_like_freihands_are_predicted_as_the_evaluation_does(
    trained: TrainedHand, tmp_path: Path
) -> None:
    split = small_split(tmp_path, num_images=2)
    expected = predict_split(trained.network, split, crop_px=40, input_px=INPUT_PX)
    finder = CentreCrop(40 / SIZE_PX, "right")
    for index in range(2):
        rgb = split.image(index)
        (hand,) = predict_hands(trained, rgb, finder.find(rgb))
        np.testing.assert_allclose(hand.verts_m, expected.verts_m[index], atol=2e-5)
        camera = WeakPerspective(*expected.cameras[index].tolist())
        expected_px = project_px(expected.joints_m[index], camera, size_px=SIZE_PX)
        np.testing.assert_allclose(hand.project(hand.joints_m), expected_px, atol=0.02)


def equal(first: PhotographedHand, second: PhotographedHand) -> bool:
    return (
        first.square == second.square
        and np.array_equal(first.verts_m, second.verts_m)
        and np.array_equal(first.joints_m, second.joints_m)
        and first.scale_px_per_m == second.scale_px_per_m
        and first.wrist_px == second.wrist_px
    )


@pytest.mark.parametrize("size_px", [40.0, 90.5, 300.0])
def test_a_mirrored_photograph_gives_the_mirrored_hand_exactly(trained: TrainedHand, size_px: float) -> None:
    rgb = noise()
    square = HandSquare(centre_px=(70.0, 55.5), size_px=size_px, side="right")
    (right,) = predict_hands(trained, rgb, [square])
    (left,) = predict_hands(trained, rgb[:, ::-1], [square.mirrored(201)])
    assert left.side == "left"
    assert equal(left, right.mirrored(201))
    assert not np.array_equal(left.verts_m, right.verts_m)


def test_hands_keep_the_order_of_their_places(trained: TrainedHand) -> None:
    squares = [
        HandSquare(centre_px=(60, 60), size_px=50, side="left"),
        HandSquare(centre_px=(20, 30), size_px=40, side="right"),
        HandSquare(centre_px=(150, 70), size_px=80, side="left"),
    ]
    together = predict_hands(trained, noise(), squares)
    for square, hand in zip(squares, together, strict=True):
        (alone,) = predict_hands(trained, noise(), [square])
        assert hand.square == square
        np.testing.assert_allclose(hand.verts_m, alone.verts_m, atol=1e-6)
        np.testing.assert_allclose(hand.wrist_px, alone.wrist_px, atol=1e-3)


def test_no_places_no_hands(trained: TrainedHand) -> None:
    assert predict_hands(trained, noise(), []) == []


def test_forty_hands_of_two_pictures_stay_with_their_pictures() -> None:
    """More than the network sees at once; each is what it is alone."""
    trained, pictures = tiny_trained(), [noise(), noise()[:, ::-1]]
    squares = [HandSquare(centre_px=(20 + 3 * n, 40), size_px=30, side="right") for n in range(40)]
    looked_at = [
        LookedAt(pictures[0], squares[:7]),
        LookedAt(pictures[1], []),
        LookedAt(pictures[1], squares),
    ]
    first, none, last = predict_pictures(trained, looked_at)
    assert ([hand.square for hand in first], none) == (squares[:7], [])
    assert [hand.square for hand in last] == squares
    (alone,) = predict_hands(trained, pictures[1], [squares[33]])
    np.testing.assert_allclose(last[33].verts_m, alone.verts_m, atol=1e-5)
