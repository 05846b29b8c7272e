"""What is behind the hand: a square crop of a people-free photograph, and its mean colour."""

import io
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageStat

from shared.errors import BackgroundError
from shared.synthetic import BackgroundCrop

_LEAST_SIDE: Final = 0.6
"""Smallest crop as a share of the photograph's short side: less would be a blur when enlarged."""


class Photographs(Protocol):
    """The part of `shared.backgrounds.BackgroundReader` that is needed here."""

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
class Backdrop:
    """A background as it will be seen.

    Attributes:
        pixels: The crop at the size of the picture.
        mean_rgb: Mean sRGB colour in [0, 1] of these pixels: the colour of the hand (paper, Sec. 3.1).
        crop: Where they come from.
    """

    pixels: UInt8[np.ndarray, "height width 3"]
    mean_rgb: tuple[float, float, float]
    crop: BackgroundCrop


def choose_backdrop(photographs: Photographs, rng: np.random.Generator, *, image_px: int) -> Backdrop:
    """Return a random crop of a random photograph, enlarged or reduced to a square picture.

    The paper does not say how a background was cut; a crop here covers at least 0.6 of the short side.

    Raises:
        BackgroundError: The photograph cannot be decoded.
    """
    position = int(rng.integers(len(photographs)))
    share, across, down = rng.uniform(_LEAST_SIDE, 1.0), rng.uniform(), rng.uniform()
    key = photographs.key(position)
    try:
        with Image.open(io.BytesIO(photographs.image_bytes(position))) as photograph:
            width, height = photograph.size
            side = max(1, round(share * min(width, height)))
            left, top = int(across * (width - side + 1)), int(down * (height - side + 1))
            square = photograph.convert("RGB").crop((left, top, left + side, top + side))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise BackgroundError(
            f"{key}: expected a photograph, {error}. Filter the backgrounds again into a new folder."
        ) from error
    seen = square.resize((image_px, image_px), Image.Resampling.BICUBIC)
    red, green, blue = (mean / 255 for mean in ImageStat.Stat(seen).mean)
    crop = BackgroundCrop(key=key, left_px=left, top_px=top, side_px=side)
    return Backdrop(np.asarray(seen), (red, green, blue), crop)
