"""Photographs with boxes around their hands, and MediaPipe's opinion on these, which is not the truth."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float
from PIL import Image

from shared.errors import DatasetError
from shared.types import Side
from trainer.photographs.finders import BoxTuple

SETS: Final = (
    *("gestures/train", "gestures/valid", "letters/train", "letters/train_varied"),
    *("palms/train", "palms/valid"),
)
_UNTOUCHED_SPLIT: Final = "valid"
_UNTOUCHED_OF_OTHERS: Final = 10
"""The last of every so many photographs of a folder, in order of their names, is untouched."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Landmarked:
    """A hand in a photograph.

    Attributes:
        path: The photograph.
        folder: Its set and split, such as ``gestures/valid``.
        is_untouched: Kept apart until the end: no choice was made by it.
        box: First column, first row, columns and rows of the hand.
        side: Which hand it is, by MediaPipe.
        side_score: How sure it is of that, up to 1.
        joints_px: Where MediaPipe sees the joints; a pixel's centre is an integer.
        joints_m: Their places about the hand's middle, by MediaPipe.
    """

    path: Path
    folder: str
    is_untouched: bool
    box: BoxTuple
    side: Side
    side_score: float
    joints_px: Float[np.ndarray, "21 2"]
    joints_m: Float[np.ndarray, "21 3"]

    @property
    def box_px(self) -> float:
        """The longer side of the box."""
        return max(self.box[2:])


def landmarked_hands(root: Path) -> Iterator[Landmarked]:
    """Yield the hands that have landmarks, in the order of their names.

    Args:
        root: Holds ``SET/SPLIT/{images,labels}`` in YOLO's layout, and ``landmarks.json``.

    Raises:
        DatasetError: Something of it is missing.
    """
    try:
        found: dict[str, list[dict[str, Any]]] = json.loads((root / "landmarks.json").read_bytes())
    except (OSError, ValueError) as error:
        raise DatasetError(f"{root / 'landmarks.json'}: expected landmarks, found {error}.") from error
    for folder in SETS:
        paths = sorted((root / folder / "images").glob("*.jpg"))
        if not paths:
            raise DatasetError(f"{root / folder / 'images'}: expected photographs, found none.")
        for number, path in enumerate(paths):
            is_untouched = folder.endswith(_UNTOUCHED_SPLIT) or is_kept(number)
            hands = found.get(f"{folder}/images/{path.name}", [])
            boxes = _boxes(path, root / folder / "labels" / f"{path.stem}.txt") if hands else []
            for hand in hands:
                joints_px = np.array(hand["joints_px"], float)
                yield Landmarked(
                    path=path,
                    folder=folder,
                    is_untouched=is_untouched,
                    box=_box_of(joints_px, boxes),
                    side="left" if hand["side"] == "left" else "right",
                    side_score=float(hand["score"]),
                    joints_px=joints_px,
                    joints_m=np.array(hand["joints_m"], float),
                )


def is_kept(number: int) -> bool:
    """Tell whether a photograph of a folder, counted from 0, is untouched."""
    return number % _UNTOUCHED_OF_OTHERS == _UNTOUCHED_OF_OTHERS - 1


def _boxes(picture: Path, labels: Path) -> list[BoxTuple]:
    with Image.open(picture) as file:
        width_px, height_px = file.size
    boxes: list[BoxTuple] = []
    for line in labels.read_text().splitlines():
        x, y, width, height = (float(value) for value in line.split()[1:5])
        left, top = (x - width / 2) * width_px, (y - height / 2) * height_px
        boxes.append((left, top, width * width_px, height * height_px))
    return boxes


def _box_of(joints_px: Float[np.ndarray, "21 2"], boxes: list[BoxTuple]) -> BoxTuple:
    """Return the box that holds the most joints, and the smaller one of equals."""

    def held(box: BoxTuple) -> tuple[int, float]:
        x, y, width, height = box
        inside = (joints_px >= (x, y)) & (joints_px <= (x + width - 1, y + height - 1))
        return int(inside.all(axis=1).sum()), -width * height

    return max(boxes, key=held)
