"""What pictures are put together from: cut-outs, photographs of hands, and places without people.

A folder of small files and an ``index.json``, so that it can be carried to where the training is. Reading it
needs nothing but NumPy and OpenCV.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, Self

import cv2
import numpy as np
from jaxtyping import UInt8

from shared.images import Rgb
from shared.types import Side

type Corners = tuple[float, float, float, float]
"""First column, first row, last column, and last row; pixels from the corner of the picture."""

INDEX: Final = "index.json"


class Cutout(NamedTuple):
    """A right hand and its arm before nothing.

    Attributes:
        rgba: sRGB and coverage, not premultiplied.
        box: Of the hand without its arm.
        tone: sRGB of its skin in daylight.
    """

    rgba: UInt8[np.ndarray, "rows columns 4"]
    box: Corners
    tone: tuple[float, float, float]

    @property
    def size_px(self) -> float:
        """Longer side of the hand."""
        left, top, right, bottom = self.box
        return max(right - left, bottom - top)


class SidedPhotograph(NamedTuple):
    """A photograph of one hand.

    Attributes:
        rgb: The picture.
        box: Of the hand.
        side: Which hand it is.
    """

    rgb: Rgb
    box: Corners
    side: Side


@dataclass(frozen=True, slots=True, eq=False)
class Ingredients:
    """A folder of ingredients.

    Attributes:
        folder: Where they are.
        cutouts: File, box, and tone of each.
        photographs: File, box in shares of the picture, and side of each; None where nobody knows it.
        places: Files.
    """

    folder: Path
    cutouts: list[tuple[str, Corners, tuple[float, float, float]]]
    photographs: list[tuple[str, Corners, Side | None]]
    places: list[str]

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Read the index of a folder."""
        index = json.loads((folder / INDEX).read_text())
        return cls(folder, index["cutouts"], index["photographs"], index["places"])

    def cutout(self, rng: np.random.Generator, *, near_px: float) -> Cutout:
        """Return a cut-out whose hand is about as large as wanted, if one of four is."""
        chosen = [self.cutouts[int(number)] for number in rng.integers(len(self.cutouts), size=4)]
        file, box, tone = min(chosen, key=lambda each: abs(np.log(max(_size(each[1]), 1) / near_px)))
        bgra = cv2.imread(str(self.folder / file), cv2.IMREAD_UNCHANGED)
        assert bgra is not None, file
        return Cutout(np.asarray(cv2.cvtColor(bgra, cv2.COLOR_BGRA2RGBA), np.uint8), box, tone)

    def place(self, rng: np.random.Generator) -> Rgb:
        """Return a place without people."""
        return self._read(self.places[int(rng.integers(len(self.places)))])

    def photograph(self, rng: np.random.Generator) -> SidedPhotograph:
        """Return a photograph of a hand, mirrored every other time.

        Where its side is unknown, it is called either as often as the other: such photographs teach what a
        hand looks like, and nothing about sides.
        """
        file, shares, known = self.photographs[int(rng.integers(len(self.photographs)))]
        side: Side = known or ("left" if rng.random() < 0.5 else "right")
        rgb = self._read(file)
        height, width = rgb.shape[:2]
        left, top, right, bottom = shares
        box = (left * width, top * height, right * width, bottom * height)
        if rng.random() < 0.5:
            rgb = np.ascontiguousarray(rgb[:, ::-1])
            box = (width - box[2], box[1], width - box[0], box[3])
            side = "left" if side == "right" else "right"
        return SidedPhotograph(rgb, box, side)

    def _read(self, file: str) -> Rgb:
        bgr = cv2.imread(str(self.folder / file), cv2.IMREAD_COLOR)
        assert bgr is not None, file
        return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def _size(box: Corners) -> float:
    return max(box[2] - box[0], box[3] - box[1])
