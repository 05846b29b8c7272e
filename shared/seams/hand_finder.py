"""Where hands are in a photograph: what a finder of hands answers, and what a network is then shown.

The trainer only knows the `HandFinder` protocol: boxes that a person gave, the middle of the picture, and the
detector of the background filter all speak it.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal, Protocol, Self

from shared.images import Rgb
from shared.types import Side, other_side

type Sides = Literal["left", "right", "both"]
"""Which hand a square shows; ``both`` where that is unknown, so that each is tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandSquare:
    """A square of a photograph with one hand in it. It may reach beyond the photograph.

    Attributes:
        centre_px: Column and row of its centre; a pixel's centre is an integer.
        size_px: Its side.
        side: Which hand it shows.
        confidence: Of the detector that found it; None for one that a person gave.
        turn_rad: How far the square is turned about its centre, clockwise on the screen.
        side_log_odds: How much likelier it is this hand than the other, as a logarithm, to the detector that
            found it; infinite where nobody is to doubt it.
    """

    centre_px: tuple[float, float]
    size_px: float
    side: Side
    confidence: float | None = None
    turn_rad: float = 0.0
    side_log_odds: float = math.inf

    @classmethod
    def around_box(
        cls,
        box: tuple[float, float, float, float],
        *,
        margin: float,
        side: Side,
        confidence: float | None = None,
        side_log_odds: float = math.inf,
    ) -> Self:
        """Return the square around a box.

        Args:
            box: First column, first row, columns, and rows, as in COCO and OpenCV.
            margin: Side of the square, in longer sides of the box.
            side: Which hand the box shows.
            confidence: Of the box.
            side_log_odds: Of the side.

        Example:
            >>> HandSquare.around_box((10, 20, 4, 8), margin=1.5, side="left").size_px
            12.0
        """
        x, y, width, height = box
        centre_px = (x + (width - 1) / 2, y + (height - 1) / 2)
        return cls(
            centre_px=centre_px,
            size_px=margin * max(width, height),
            side=side,
            confidence=confidence,
            side_log_odds=side_log_odds,
        )

    def as_other_hand(self) -> Self:
        """Return the same square as one of the other hand, which nobody is to doubt."""
        return replace(self, side=other_side(self.side), side_log_odds=math.inf)

    def mirrored(self, width_px: int) -> Self:
        """Return where the mirrored photograph shows the hand, which there is one of the other side."""
        x, y = self.centre_px
        return replace(
            self, centre_px=(width_px - 1 - x, y), side=other_side(self.side), turn_rad=-self.turn_rad
        )


def sides_of(sides: Sides) -> tuple[Side, ...]:
    """Return the hands to try."""
    return ("left", "right") if sides == "both" else (sides,)


class HandFinder(Protocol):
    """Anything that says where the hands of a photograph are."""

    def find(self, rgb: Rgb) -> list[HandSquare]:
        """Return the squares in an order that does not change from call to call; none if there is no hand."""
        ...
