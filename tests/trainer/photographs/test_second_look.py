"""A second look sees the same hand where it is, upright, and of the size that the network knows."""

import math
from dataclasses import replace
from typing import cast

import numpy as np
import pytest

from shared.seams.hand_finder import HandSquare
from shared.skeleton import FINGERS, WRIST
from shared.types import Side
from tests.support.small_hands import open_hand
from tests.support.small_trained import as_trained, tiny_trained
from tests.trainer.photographs.test_hand import SPOT_PX, SpotFinder, big_picture, equal, noise
from trainer.data.resampling import crop_square, turn_matrix
from trainer.photographs.hand import PhotographedHand, predict_hands
from trainer.photographs.second_look import look_again, square_around


def raised_hand(turn_rad: float, side: Side = "right") -> PhotographedHand:
    """The template, fingers up, then turned clockwise in the picture."""
    model = open_hand()
    axes = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]], np.float32)
    turn = np.eye(3, dtype=np.float32)
    turn[:2, :2] = turn_matrix(turn_rad)
    verts_m = (model.template_m - model.joint_regressor[0] @ model.template_m) @ axes.T @ turn.T
    square = HandSquare(centre_px=(100, 80), size_px=60, side="right")
    hand = PhotographedHand(square, verts_m, model.joint_regressor @ verts_m, 500.0, (100.0, 80.0))
    return hand if side == "right" else hand.mirrored(201)


@pytest.mark.parametrize("degrees", [-170, -90, -20, 0, 35, 90, 160])
@pytest.mark.parametrize("side", ["right", "left"])
def test_the_square_turns_the_knuckle_above_the_wrist_and_holds_the_hand(degrees: int, side: str) -> None:
    hand = raised_hand(math.radians(degrees), cast("Side", side))
    square = square_around(hand, margin=1.3, upright=True)
    joints = (hand.project(hand.joints_m) - square.centre_px) @ turn_matrix(square.turn_rad)
    wrist, knuckle = joints[WRIST], joints[FINGERS["middle"][0]]
    assert abs(knuckle[0] - wrist[0]) < 0.02 * abs(knuckle[1] - wrist[1])
    assert knuckle[1] < wrist[1]
    assert np.abs(joints).max() * 2 / square.size_px == pytest.approx(1 / 1.3)


def test_a_hand_that_points_at_the_camera_is_not_turned() -> None:
    hand = raised_hand(0.0)
    pointing = hand.joints_m[:, [0, 2, 1]] * np.array([1, 0.2, 1], np.float32)
    assert square_around(replace(hand, joints_m=pointing), margin=1.3, upright=True).turn_rad == 0


def test_a_turned_square_shows_the_turned_picture() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    square = HandSquare(centre_px=(29.5, 29.5), size_px=60, side="right", turn_rad=math.pi / 2)
    turned = crop_square(rgb, square, size_px=60)
    np.testing.assert_allclose(
        turned, np.rot90(rgb), atol=1
    )  # the square turns clockwise, what it shows does not


@pytest.mark.parametrize("turn_deg", [0, 30, -120])
@pytest.mark.parametrize("side", ["right", "left"])
def test_a_hand_stays_where_it_is_however_the_square_is_turned(turn_deg: int, side: str) -> None:
    square = HandSquare(
        centre_px=(400, 160), size_px=120, side=cast("Side", side), turn_rad=math.radians(turn_deg)
    )
    (hand,) = predict_hands(as_trained(SpotFinder()), big_picture(), [square])
    np.testing.assert_allclose(hand.wrist_px, SPOT_PX, atol=0.5)
    straight = replace(square, turn_rad=0.0)
    (plain,) = predict_hands(as_trained(SpotFinder()), big_picture(), [straight])
    turn = np.eye(3)
    turn[:2, :2] = turn_matrix(square.turn_rad)
    np.testing.assert_allclose(hand.verts_m, plain.verts_m @ turn.T, atol=1e-6)


def test_a_mirrored_photograph_gives_the_mirrored_second_look() -> None:
    trained, rgb = tiny_trained(), noise()
    first = predict_hands(
        trained, rgb, [HandSquare(centre_px=(70, 55), size_px=60, side="right", turn_rad=0.4)]
    )
    other = predict_hands(trained, rgb[:, ::-1], [first[0].square.mirrored(201)])
    (right,), (left,) = look_again(trained, [rgb, rgb[:, ::-1]], [first, other])
    assert left.square.turn_rad == pytest.approx(-right.square.turn_rad)
    np.testing.assert_allclose(left.mirrored(201).verts_m, right.verts_m, atol=1e-5)
    assert not equal(right, first[0])
