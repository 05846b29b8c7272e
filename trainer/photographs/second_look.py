"""Looks at a hand again, in a square that the first look has laid around it, upright and fitting."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from jaxtyping import Float

from shared.images import Rgb
from shared.seams.hand_finder import HandSquare
from shared.skeleton import FINGERS, WRIST
from trainer.data.resampling import turn_matrix
from trainer.photographs.hand import LookedAt, PhotographedHand, predict_pictures
from trainer.run.trained import TrainedHand

_KNUCKLE: Final = FINGERS["middle"][0]
_FORESHORTENED: Final = 0.35
"""Share of the palm's length that the picture must show; otherwise the hand points at the camera."""


def look_again(
    trained: TrainedHand,
    pictures: Sequence[Rgb],
    hands: Sequence[Sequence[PhotographedHand]],
    *,
    upright: bool = True,
) -> list[list[PhotographedHand]]:
    """Predict hands again, each in a square around what was predicted for it.

    Args:
        trained: The network.
        pictures: The photographs.
        hands: What a first look said about each.
        upright: Turn the square so that the middle finger's knuckle is above the wrist.
    """
    looked_at = [
        LookedAt(rgb, [square_around(hand, margin=trained.margin, upright=upright) for hand in seen])
        for rgb, seen in zip(pictures, hands, strict=True)
    ]
    return predict_pictures(trained, looked_at, tries_turns=not upright)


def square_around(hand: PhotographedHand, *, margin: float, upright: bool) -> HandSquare:
    """Return the square that shows a predicted hand as the network knows hands.

    Args:
        hand: The prediction.
        margin: Side of the square, in longer sides of the box around the joints, as in training.
        upright: Whether to turn it.
    """
    joints_px = hand.project(hand.joints_m)
    turn_rad = _turn_of(hand, joints_px) if upright else 0.0
    axes = turn_matrix(turn_rad)
    across = joints_px @ axes  # in the turned square's axes
    low, high = across.min(axis=0), across.max(axis=0)
    x, y = (axes @ ((low + high) / 2)).tolist()
    size_px = margin * float((high - low).max())
    if not (math.isfinite(size_px) and size_px > 1):
        return hand.square
    return replace(hand.square, centre_px=(x, y), size_px=size_px, turn_rad=turn_rad)


def _turn_of(hand: PhotographedHand, joints_px: Float[np.ndarray, "21 2"]) -> float:
    right_px, down_px = (joints_px[_KNUCKLE] - joints_px[WRIST]).tolist()
    length_px = hand.scale_px_per_m * float(np.linalg.norm(hand.joints_m[_KNUCKLE] - hand.joints_m[WRIST]))
    if math.hypot(right_px, down_px) < _FORESHORTENED * length_px:
        return 0.0
    return math.atan2(right_px, -down_px)
