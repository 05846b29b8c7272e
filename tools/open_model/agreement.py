"""How well hands agree with landmarks: in the picture, and in space after alignment."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from tools.open_model.photographs import Landmarked
from trainer.evaluation.procrustes import aligned_mean_mm, mean_hand_m


class Agreement(NamedTuple):
    """Of every hand.

    Attributes:
        picture_percent: Mean distance of the 21 joints in the picture, in percent of the box's longer side.
        space_mm: Mean distance of the joints after alignment without reflection.
    """

    picture_percent: Float[np.ndarray, " hands"]
    space_mm: Float[np.ndarray, " hands"]

    def of(self, rows: np.ndarray) -> "Agreement":
        """Return some of the hands."""
        return Agreement(self.picture_percent[rows], self.space_mm[rows])


def agreement(
    hands: Sequence[Landmarked],
    joints_px: Float[np.ndarray, "hands 21 2"],
    joints_m: Float[np.ndarray, "hands 21 3"],
) -> Agreement:
    """Compare joints with landmarks."""
    boxes_px = np.array([hand.box_px for hand in hands])
    landmarks_px = np.stack([hand.joints_px for hand in hands])
    off_px = np.linalg.norm(joints_px - landmarks_px, axis=2).mean(axis=1)
    landmarks_m = np.stack([hand.joints_m for hand in hands])
    return Agreement(100 * off_px / boxes_px, aligned_mean_mm(joints_m, landmarks_m, allow_reflection=False))


class ConstantHand(NamedTuple):
    """The same answer for every photograph: the mean of the landmarks themselves.

    Attributes:
        in_box: Places of the joints from the middle of the box, in its longer sides, of a right hand.
        joints_m: Joints of a right hand.
    """

    in_box: Float[np.ndarray, "21 2"]
    joints_m: Float[np.ndarray, "21 3"]

    @classmethod
    def mean_of(cls, hands: Sequence[Landmarked]) -> "ConstantHand":
        """Return the mean answer; in space, of hands that were aligned with it."""
        in_box = np.stack(
            [_mirrored(hand, (hand.joints_px - _middle_px(hand)) / hand.box_px) for hand in hands]
        )
        right_m = np.stack([_mirrored(hand, hand.joints_m) for hand in hands])
        return cls(in_box.mean(axis=0), mean_hand_m(right_m))

    def agreement(self, hands: Sequence[Landmarked]) -> Agreement:
        """Compare it with landmarks."""
        joints_px = np.stack(
            [_middle_px(hand) + hand.box_px * _mirrored(hand, self.in_box) for hand in hands]
        )
        return agreement(hands, joints_px, np.stack([_mirrored(hand, self.joints_m) for hand in hands]))


def _middle_px(hand: Landmarked) -> Float[np.ndarray, "2"]:
    x, y, width, height = hand.box
    return np.array([x + (width - 1) / 2, y + (height - 1) / 2])


def _mirrored(hand: Landmarked, points: np.ndarray) -> np.ndarray:
    """Turn a left hand into a right one, or the other way round."""
    if hand.side == "right":
        return points
    mirrored = points.copy()
    mirrored[:, 0] *= -1
    return mirrored
