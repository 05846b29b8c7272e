"""A predicted hand in a photograph of any size: from places in it, through the network, to its pixels.

Networks know right hands. A left one is shown to them in a mirror, and what they say is mirrored back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Float32, Int32

from shared.images import Rgb
from shared.seams.hand_finder import HandSquare
from shared.types import Side, WeakPerspective
from trainer.data.resampling import crop_square, turn_matrix
from trainer.evaluation.predict import predict_crops
from trainer.run.trained import TrainedHand

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
    """

    square: HandSquare
    verts_m: Float32[np.ndarray, "verts 3"]
    joints_m: Float32[np.ndarray, "21 3"]
    scale_px_per_m: float
    wrist_px: tuple[float, float]

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


def predict_hands(
    trained: TrainedHand, rgb: Rgb, squares: Sequence[HandSquare], *, tries_turns: bool = True
) -> list[PhotographedHand]:
    """Return the hand of every place, in their order.

    Args:
        trained: The network.
        rgb: The photograph, upright.
        squares: Where its hands are.
        tries_turns: Let a network try four turns of the squares, if it wants to.
    """
    if not squares:
        return []
    width_px, input_px = rgb.shape[1], trained.config.data.input_px
    as_right = [square if square.side == "right" else square.mirrored(width_px) for square in squares]
    crops = [
        crop_square(rgb if square.side == "right" else rgb[:, ::-1], right, size_px=input_px)
        for square, right in zip(squares, as_right, strict=True)
    ]
    predicted = predict_crops(trained.network, torch.from_numpy(np.stack(crops)), tries_turns=tries_turns)
    hands = [_in_photograph(right, *arrays) for right, *arrays in zip(as_right, *predicted, strict=True)]
    return [
        hand if square.side == "right" else hand.mirrored(width_px)
        for square, hand in zip(squares, hands, strict=True)
    ]


def _in_photograph(
    square: HandSquare, verts_m: np.ndarray, joints_m: np.ndarray, camera: np.ndarray
) -> PhotographedHand:
    """Turn a crop's camera, and its axes, into the photograph's."""
    scale, *shift_m = camera.astype(np.float64).tolist()
    scale_px_per_m = scale * square.size_px / 2
    turn = np.eye(3, dtype=np.float32)
    turn[:2, :2] = turn_matrix(square.turn_rad)
    x, y = (np.array(square.centre_px) + scale_px_per_m * (turn[:2, :2] @ shift_m)).tolist()
    if square.turn_rad:
        verts_m, joints_m = verts_m @ turn.T, joints_m @ turn.T
    return PhotographedHand(square, verts_m, joints_m, scale_px_per_m, (x, y))
