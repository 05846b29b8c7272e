"""Pictures as files and as arrays: what they are called, how they are decoded, and which side is up."""

import io
import math
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
from jaxtyping import UInt8
from PIL import Image, UnidentifiedImageError

from shared.archives import in_one_line

type Rgb = UInt8[np.ndarray, "height width 3"]
"""A picture in memory, sRGB."""

DATABASE_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp"})
"""Of files whose bytes a database of photographs can keep as they are."""
PHOTOGRAPH_SUFFIXES: Final = DATABASE_SUFFIXES | {".avif", ".bmp", ".gif", ".ppm", ".tif", ".tiff"}
"""Of files that people have photographs in."""
VIDEO_SUFFIXES: Final = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".webm"})

MAX_PIXELS: Final = 1 << 26
"""Of pictures that datasets, databases and shards have; a file of some bytes can unpack to gigabytes."""
DAMAGED_PICTURE: Final = (
    *(OSError, EOFError, SyntaxError, ValueError, LookupError, TypeError, ArithmeticError, AttributeError),
    *(struct.error, zlib.error, MemoryError, NotImplementedError, RuntimeError),
    *(Image.DecompressionBombError, Image.DecompressionBombWarning),
)
"""What Pillow lets through about damaged and hostile pictures."""
warnings.filterwarnings("ignore", module=r"PIL\.")  # what is wrong is told by errors, and limits are our own

_TAG: Final = 0x0112
_EXIF_IFD: Final = 0x8769
_FOCAL_IN_35_MM: Final = 0xA405
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@contextmanager
def opened_picture(encoded: bytes) -> Iterator[Image.Image]:
    """Open a picture for as long as a block works on it.

    Raises:
        ValueError: It is damaged, which may show late, no picture, or larger than `MAX_PIXELS`.
    """
    try:
        with Image.open(io.BytesIO(encoded)) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise ValueError(f"{picture.width} x {picture.height} pixels, more than {MAX_PIXELS}")
            yield picture
    except UnidentifiedImageError as error:
        raise ValueError("it is no picture") from error
    except DAMAGED_PICTURE as error:
        raise ValueError(in_one_line(error)) from error


def decode_rgb(encoded: bytes) -> Rgb:
    """Decode a file of ours as it is: neither turned upright nor reduced to 8 bits with care.

    Raises:
        ValueError: It is damaged, no picture, or larger than `MAX_PIXELS`.
    """
    with opened_picture(encoded) as picture:
        return np.array(picture.convert("RGB"))


def turn_of(image: Image.Image) -> Image.Transpose | None:
    """Return what makes an image upright, by its Exif; None if it is, or does not say.

    Exif can be damaged in a picture whose pixels are complete. Unlike ``ImageOps.exif_transpose``, this
    neither fails then nor writes the rest of it anew.
    """
    try:
        return _TURNS.get(image.getexif().get(_TAG, 1))
    except DAMAGED_PICTURE:
        return None


def film_focal_mm(image: Image.Image) -> float | None:
    """Return the focal length that would show as much on 35 mm film; None if Exif does not tell."""
    try:
        focal_mm = float(image.getexif().get_ifd(_EXIF_IFD).get(_FOCAL_IN_35_MM) or 0)
    except DAMAGED_PICTURE:
        return None
    return focal_mm if 0 < focal_mm < math.inf else None
