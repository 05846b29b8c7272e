"""How far away a hand is: its place in metres, from the focal length that is given, in Exif, or assumed."""

import math
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from jaxtyping import Float

from trainer.evaluation.wrist_position import solve_translation
from trainer.photographs.hand import PhotographedHand

type FocalSource = Literal["given", "exif", "assumed"]

FILM_DIAGONAL_MM: Final = math.hypot(36, 24)
ASSUMED_FILM_MM: Final = 28.0
"""About what phones have; with half the true focal length, a hand seems to be at half of its distance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotographLens:
    """A pinhole camera whose principal point is the middle of the photograph.

    Attributes:
        focal_px: Focal length.
        source: Where it is from.
        centre_px: Column and row of the middle.
    """

    focal_px: float
    source: FocalSource
    centre_px: tuple[float, float]

    def wrist_m(self, hand: PhotographedHand) -> Float[np.ndarray, "3"]:
        """Return where the wrist is, in camera axes: what to add to the hand's points to place it.

        There a pinhole camera sees the joints where the weak-perspective camera does. The distance is as good
        as the predicted size of the hand, which one picture does not tell.
        """
        ray = (hand.project(hand.joints_m) - self.centre_px) / self.focal_px
        wrist_m: Float[np.ndarray, "3"] = solve_translation(
            hand.joints_m[None].astype(np.float64), ray[None]
        )[0]
        return wrist_m

    def to_json(self) -> dict[str, Any]:
        """Return it as the files have it."""
        return {"focal_px": self.focal_px, "focal_from": self.source, "centre_px": list(self.centre_px)}


def lens_of(size_px: tuple[int, int], *, given_px: float | None, film_mm: float | None) -> PhotographLens:
    """Return the lens of a picture.

    Args:
        size_px: Its columns and rows.
        given_px: Focal length that a person gave.
        film_mm: Focal length that would have shown as much on 35 mm film, by its diagonal.

    Example:
        >>> lens_of((4000, 3000), given_px=None, film_mm=FILM_DIAGONAL_MM).focal_px
        5000.0
    """
    width_px, height_px = size_px
    source: FocalSource = "given" if given_px else "exif" if film_mm else "assumed"
    focal_px = given_px or (film_mm or ASSUMED_FILM_MM) / FILM_DIAGONAL_MM * math.hypot(width_px, height_px)
    return PhotographLens(
        focal_px=focal_px, source=source, centre_px=((width_px - 1) / 2, (height_px - 1) / 2)
    )
