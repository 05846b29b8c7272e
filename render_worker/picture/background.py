"""What is behind the hand: a square crop of a people-free photograph, and its mean colour."""

from dataclasses import dataclass
from typing import Final, Protocol

import cv2
import numpy as np
from jaxtyping import UInt8

from shared.errors import BackgroundError
from shared.images import opened_picture
from shared.twins.sample import BackgroundCrop

cv2.setNumThreads(1)  # parallelism comes from more processes

_LEAST_SIDE: Final = 0.6
"""Smallest crop as a share of the photograph's short side: less would be a blur when enlarged."""
_AVERAGED_FROM: Final = 1.15
"""Reduction from which on pixels are averaged instead of interpolated, because detail would alias."""


class Photographs(Protocol):
    """The part of `shared.backgrounds.database.BackgroundReader` that is needed here."""

    @property
    def fingerprint(self) -> str:
        """Identity of the database."""
        ...

    def __len__(self) -> int: ...

    def key(self, position: int) -> str:
        """Return the name of a photograph."""
        ...

    def image_bytes(self, position: int) -> bytes:
        """Return an encoded photograph."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """A background as it will be seen.

    Attributes:
        pixels: The crop at the size of the picture.
        mean_rgb: Mean sRGB colour in [0, 1] of these pixels: the colour of the hand (paper, Sec. 3.1).
        crop: Where they come from.
    """

    pixels: UInt8[np.ndarray, "height width 3"]
    mean_rgb: tuple[float, float, float]
    crop: BackgroundCrop


def choose_background(photographs: Photographs, rng: np.random.Generator, *, image_px: int) -> Background:
    """Return a random crop of a random photograph, enlarged or reduced to a square picture.

    The paper does not say how a background was cut; a crop here covers at least 0.6 of the short side.

    Raises:
        BackgroundError: The photograph cannot be decoded.
    """
    position = int(rng.integers(len(photographs)))
    share, across, down = rng.uniform(_LEAST_SIDE, 1.0), rng.uniform(), rng.uniform()
    key = photographs.key(position)
    try:
        with opened_picture(photographs.image_bytes(position)) as photograph:
            width, height = photograph.size
            side = max(1, round(share * min(width, height)))
            left, top = int(across * (width - side + 1)), int(down * (height - side + 1))
            box = (left, top, left + side, top + side)
            # Pillow would copy what it need not convert.
            rgb = photograph if photograph.mode == "RGB" else photograph.convert("RGB")
            square = np.asarray(rgb.crop(box))
    except ValueError as error:
        raise BackgroundError(
            f"{key}: expected a photograph, {error}.",
            remedy="Filter the backgrounds again into a new folder.",
        ) from error
    # OpenCV takes a tenth of Pillow's time, but its cubic looks at four pixels however many become one.
    averaged = side > _AVERAGED_FROM * image_px
    seen = cv2.resize(
        square, (image_px, image_px), interpolation=cv2.INTER_AREA if averaged else cv2.INTER_CUBIC
    )
    pixels = np.asarray(seen, dtype=np.uint8)
    red, green, blue = (value / 255 for value in cv2.mean(pixels)[:3])
    crop = BackgroundCrop(key=key, left_px=left, top_px=top, side_px=side)
    return Background(pixels, (red, green, blue), crop)
