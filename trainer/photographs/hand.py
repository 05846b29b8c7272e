"""A predicted hand in a photograph of any size: from places in it, through the network, to its pixels.

Networks know right hands. A left one is shown to them in a mirror, and what they say is mirrored back.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, Int32

from shared.images import Rgb
from shared.seams.hand_finder import HandSquare
from shared.types import Side, WeakPerspective
from trainer.data.resampling import crop_square, turn_matrix
from trainer.evaluation.predict import PredictedCrops, predict_crops
from trainer.run.trained import TrainedHand

_MOST_AT_ONCE: Final = 32
"""Squares that the network sees at the same time."""
_MIRROR = np.array([-1, 1, 1], dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class PhotographedHand:
    """A hand, and the weak-perspective camera of the whole photograph, in its pixels.

    A point appears at ``scale_px_per_m * (x, y) + wrist_px``: the wrist is the origin of all points.

    Attributes:
        square: The square that the network saw, and which hand it is.
        verts_m: Vertices relative to the wrist, camera axes.
        joints_m: Joints in the same frame.
        scale_px_per_m: Pixels of the photograph per metre.
        wrist_px: Column and row at which the wrist appears.
        spread_ndc: How unsure the network is of the joints, mean standard deviation of their heat in the
            square; NaN if it does not say.
    """

    square: HandSquare
    verts_m: Float32[np.ndarray, "verts 3"]
    joints_m: Float32[np.ndarray, "21 3"]
    scale_px_per_m: float
    wrist_px: tuple[float, float]
    spread_ndc: float = math.nan

    @property
    def side(self) -> Side:
        """Which hand it is."""
        return self.square.side

    def project(self, points_m: Float[np.ndarray, "points 3"]) -> Float[np.ndarray, "points 2"]:
        """Return where points appear in the photograph."""
        px: Float[np.ndarray, "points 2"] = (
            self.scale_px_per_m * points_m[:, :2].astype(np.float64) + self.wrist_px
        )
        return px

    def camera_of_square(self, left_px: int, top_px: int, size_px: int) -> WeakPerspective:
        """Return the camera of a square part of the photograph, given by its first pixel and its side."""
        x, y = self.wrist_px
        tx_m, ty_m = (
            (coordinate + 0.5 - size_px / 2) / self.scale_px_per_m for coordinate in (x - left_px, y - top_px)
        )
        return WeakPerspective(scale=self.scale_px_per_m * 2 / size_px, tx_m=tx_m, ty_m=ty_m)

    def mirrored(self, width_px: int) -> "PhotographedHand":
        """Return the hand that the mirrored photograph shows."""
        x, y = self.wrist_px
        return replace(
            self,
            square=self.square.mirrored(width_px),
            verts_m=self.verts_m * _MIRROR,
            joints_m=self.joints_m * _MIRROR,
            wrist_px=(width_px - 1 - x, y),
        )

    def faces(self, right: Int32[np.ndarray, "faces 3"]) -> Int32[np.ndarray, "faces 3"]:
        """Return the triangles, counter-clockwise from outside; a mirror turns a right hand's around."""
        return right if self.side == "right" else right[:, ::-1]


class LookedAt(NamedTuple):
    """A photograph, upright, and the squares of it to look at."""

    rgb: Rgb
    squares: Sequence[HandSquare]


def predict_hands(
    trained: TrainedHand, rgb: Rgb, squares: Sequence[HandSquare], *, tries_turns: bool = True
) -> list[PhotographedHand]:
    """Return the hands of one photograph, as `predict_pictures` does."""
    (hands,) = predict_pictures(trained, [LookedAt(rgb, squares)], tries_turns=tries_turns)
    return hands


def predict_pictures(
    trained: TrainedHand, pictures: Sequence[LookedAt], *, tries_turns: bool = True
) -> list[list[PhotographedHand]]:
    """Return the hand of every square of every picture, in their order.

    Args:
        trained: The network, which sees the squares of all pictures together.
        pictures: What to look at.
        tries_turns: Let a network try four turns of the squares, if it wants to.
    """
    shown = [(rgb, square) for rgb, squares in pictures for square in squares]
    hands = []
    for start in range(0, len(shown), _MOST_AT_ONCE):
        hands += _predict(trained, shown[start : start + _MOST_AT_ONCE], tries_turns=tries_turns)
    following = iter(hands)
    return [list(islice(following, len(squares))) for _, squares in pictures]


def _predict(
    trained: TrainedHand, shown: Sequence[tuple[Rgb, HandSquare]], *, tries_turns: bool
) -> list[PhotographedHand]:
    crops, as_right = [], []
    for rgb, square in shown:
        is_right = square.side == "right"
        as_right.append(square if is_right else square.mirrored(rgb.shape[1]))
        seen = rgb if is_right else rgb[:, ::-1]
        crops.append(crop_square(seen, as_right[-1], size_px=trained.config.data.input_px))
    predicted = predict_crops(trained.network, torch.from_numpy(np.stack(crops)), tries_turns=tries_turns)
    hands = [_in_photograph(right, predicted, row) for row, right in enumerate(as_right)]
    return [
        hand if square.side == "right" else hand.mirrored(rgb.shape[1])
        for (rgb, square), hand in zip(shown, hands, strict=True)
    ]


def _in_photograph(square: HandSquare, predicted: PredictedCrops, row: int) -> PhotographedHand:
    """Turn a crop's camera, and its axes, into the photograph's."""
    verts_m, joints_m = predicted.verts_m[row], predicted.joints_m[row]
    scale, *shift_m = predicted.cameras[row].astype(np.float64).tolist()
    scale_px_per_m = scale * square.size_px / 2
    turn = np.eye(3, dtype=np.float32)
    turn[:2, :2] = turn_matrix(square.turn_rad)
    x, y = (np.array(square.centre_px) + scale_px_per_m * (turn[:2, :2] @ shift_m)).tolist()
    if square.turn_rad:
        verts_m, joints_m = verts_m @ turn.T, joints_m @ turn.T
    spread_ndc = math.nan if predicted.spreads_ndc is None else float(predicted.spreads_ndc[row])
    return PhotographedHand(square, verts_m, joints_m, scale_px_per_m, (x, y), spread_ndc)
