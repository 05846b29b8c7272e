"""Which photographs of hands are trained on, which are kept for the score, and which hand they show."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from shared.errors import DatasetError
from shared.images import Rgb
from shared.types import Side
from tools.hand_finder.ingredients import Corners

type BoxShares = tuple[float, float, float, float]
"""First column, first row, last column, and last row, as shares of the picture."""

type Use = Literal["train", "valid", "tenth"]

_TRAINED: Final = ("gestures/train", "letters/train", "letters/train_varied", "palms/train")
_UNTOUCHED: Final = ("gestures/valid", "palms/valid")
_KEPT: Final = 10
"""Every so many-th photograph of those folders is kept for the score."""
_SURE: Final = 0.8
"""Least score of MediaPipe at which its side is believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandPhotograph:
    """A photograph whose hands have boxes.

    Attributes:
        path: The picture.
        folder: Set and split, such as ``gestures/train``.
        boxes: Of its hands.
        side: Which hand it shows; None where that is not sure, or there are several.
        use: Trained on, or kept for the score: a folder of its own, or every tenth of one trained on.
    """

    path: Path
    folder: str
    boxes: tuple[BoxShares, ...]
    side: Side | None
    use: Use

    def boxes_px(self, rgb: Rgb) -> list[Corners]:
        """Return the boxes in the pixels of the picture."""
        height, width = rgb.shape[:2]
        return [(x0 * width, y0 * height, x1 * width, y1 * height) for x0, y0, x1, y1 in self.boxes]


def hand_photographs(root: Path) -> Iterator[HandPhotograph]:
    """Yield all photographs of a folder in YOLO's layout, ``SET/SPLIT/{images,labels}``.

    Raises:
        DatasetError: A folder is missing.
    """
    landmarks = json.loads((root / "landmarks.json").read_text())
    for folder in (*_TRAINED, *_UNTOUCHED):
        paths = sorted((root / folder / "images").glob("*.jpg"))
        if not paths:
            raise DatasetError(f"{root / folder}: expected photographs, found none.")
        for number, path in enumerate(paths):
            kept = number % _KEPT == _KEPT - 1
            use: Use = "valid" if folder in _UNTOUCHED else "tenth" if kept else "train"
            boxes = _boxes(root / folder / "labels" / f"{path.stem}.txt")
            found = landmarks.get(f"{folder}/images/{path.name}", [])
            side = _sure_side(found) if len(boxes) == 1 else None
            yield HandPhotograph(path=path, folder=folder, boxes=boxes, side=side, use=use)


def _sure_side(found: list[dict[str, object]]) -> Side | None:
    if len(found) != 1 or float(str(found[0]["score"])) < _SURE:
        return None
    return "left" if found[0]["side"] == "left" else "right"


def _boxes(path: Path) -> tuple[BoxShares, ...]:
    boxes = []
    for line in path.read_text().splitlines():
        if line.strip():
            x, y, width, height = map(float, line.split()[1:5])
            boxes.append((x - width / 2, y - height / 2, x + width / 2, y + height / 2))
    return tuple(boxes)
