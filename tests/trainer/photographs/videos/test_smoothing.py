"""Smoothed hands stay hands: joints belong to meshes, pictures hold still, motion is followed."""

from dataclasses import replace

import numpy as np

from tests.support.small_hands import open_hand
from tests.trainer.photographs.test_output import hand_at
from trainer.photographs.hand import PhotographedHand
from trainer.photographs.videos.smoothing import HandSmoother

FPS = 30


def shaken(rng: np.random.Generator, *, x: float = 150.0) -> PhotographedHand:
    """A hand whose prediction trembles by 2 mm, a pixel, and two per cent of its size."""
    hand = hand_at(x + rng.normal(), 150 + rng.normal())
    verts_m = (hand.verts_m + 0.002 * rng.standard_normal((1, 3))).astype(np.float32)
    verts_m = verts_m * np.float32(1 + 0.01 * rng.standard_normal())
    joints_m = open_hand().joint_regressor @ verts_m
    scale = hand.scale_px_per_m * float(np.exp(0.02 * rng.standard_normal()))
    return replace(hand, verts_m=verts_m - joints_m[0], joints_m=joints_m - joints_m[0], scale_px_per_m=scale)


def trembling_px(hands: list[PhotographedHand]) -> float:
    joints_px = np.array([hand.project(hand.joints_m) for hand in hands])
    return float(np.linalg.norm(np.diff(joints_px, axis=0), axis=2).mean())


def test_a_still_hand_trembles_less() -> None:
    rng = np.random.default_rng(0)
    raw = [shaken(rng) for _ in range(90)]
    smoother = HandSmoother(open_hand())
    smooth = [smoother.smooth(hand, identity=0, time_s=number / FPS) for number, hand in enumerate(raw)]
    assert trembling_px(smooth[10:]) < 0.5 * trembling_px(raw[10:])
    for hand in smooth[::10]:
        np.testing.assert_allclose(open_hand().joint_regressor @ hand.verts_m, hand.joints_m, atol=1e-6)
        assert np.abs(hand.joints_m[0]).max() < 1e-6


def test_a_fast_hand_is_followed_within_a_tenth_of_its_length() -> None:
    """A picture of 300 pixels crossed in a second; the hand is 90 pixels long."""
    smoother = HandSmoother(open_hand())
    for number in range(30):
        hand = hand_at(10 * number, 150)
        smooth = smoother.smooth(hand, identity=0, time_s=number / FPS)
    assert abs(smooth.wrist_px[0] - hand.wrist_px[0]) < 18


def test_the_first_frame_and_another_hand_and_another_side_are_left_as_they_are() -> None:
    smoother = HandSmoother(open_hand())
    hands = [(hand_at(150, 150), 0), (hand_at(50, 100), 1), (hand_at(150, 150, "left"), 0)]
    for number, (hand, identity) in enumerate(hands):
        smooth = smoother.smooth(hand, identity=identity, time_s=number / FPS)
        np.testing.assert_allclose(smooth.project(smooth.verts_m), hand.project(hand.verts_m), atol=1e-3)


def test_hands_that_are_gone_are_forgotten() -> None:
    """A video of any length takes no more memory than the hands in it."""
    smoother = HandSmoother(open_hand())
    for identity in range(50):
        smoother.smooth(hand_at(150, 150), identity=identity, time_s=2.0 * identity)
    assert len(smoother._hands) == 1
