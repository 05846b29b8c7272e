"""The two ways to find hands without a network: a person gives boxes, or keeps the hand in the middle."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.errors import ConfigError, DatasetError
from shared.images import Rgb
from shared.seams.hand_finder import HandSquare, Sides, sides_of

type BoxTuple = tuple[float, float, float, float]
"""First column, first row, columns, and rows."""


@dataclass(frozen=True, slots=True)
class CentreCrop:
    """One hand in the middle of every picture, as in FreiHAND.

    Attributes:
        share: Side of the square in the middle, as a share of the picture's shorter side.
        sides: Which hand.
    """

    share: float
    sides: Sides

    def find(self, rgb: Rgb) -> list[HandSquare]:
        """Return the square in the middle."""
        height, width = rgb.shape[:2]
        centre_px = ((width - 1) / 2, (height - 1) / 2)
        size_px = self.share * min(height, width)
        return [HandSquare(centre_px=centre_px, size_px=size_px, side=side) for side in sides_of(self.sides)]


class GivenBoxes:
    """The same boxes in every picture.

    Args:
        boxes: Tight around the hands.
        sides: Which hands they are: one for all, or one for each.
        margin: Side of what the network sees, in longer sides of the box.

    Raises:
        ConfigError: A box is empty, or there are not as many sides as boxes.
    """

    def __init__(self, boxes: Sequence[BoxTuple], sides: Sequence[Sides], *, margin: float) -> None:
        for box in boxes:
            if min(box[2:]) <= 0:
                raise ConfigError(f"--box: expected a width and a height above 0, found {_text(box)}.")
        if len(sides) not in (1, len(boxes)):
            raise ConfigError(
                f"--side: expected one for all {len(boxes)} boxes or one for each, found {len(sides)}."
            )
        self._boxes = tuple(boxes)
        self._sides = tuple(sides) * len(boxes) if len(sides) == 1 else tuple(sides)
        self._margin = margin

    def find(self, rgb: Rgb) -> list[HandSquare]:
        """Return the squares around the boxes.

        Raises:
            DatasetError: A box is outside of this picture.
        """
        height, width = rgb.shape[:2]
        squares = []
        for box, sides in zip(self._boxes, self._sides, strict=True):
            x, y, columns, rows = box
            if x >= width or y >= height or x + columns <= 0 or y + rows <= 0:
                raise DatasetError(
                    (
                        f"--box {_text(box)}: expected a box in the picture of {width} x "
                        f"{height} pixels, found "
                        "one beside it."
                    ),
                    remedy="Boxes are x, y of the top left corner, width, and height.",
                )
            squares += [
                HandSquare.around_box(box, margin=self._margin, side=side) for side in sides_of(sides)
            ]
        return squares


def _text(box: BoxTuple) -> str:
    return " ".join(f"{value:g}" for value in box)
