"""How a photograph lies: read from Exif, which can be damaged in a picture whose pixels are whole."""

import struct
from typing import Final

from PIL import Image

_TAG: Final = 0x0112
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def turn_of(image: Image.Image) -> Image.Transpose | None:
    """Return what makes an image upright; None if it is, or does not say.

    Unlike ``ImageOps.exif_transpose``, this neither fails on damaged Exif nor writes the rest of it anew.
    """
    try:
        return _TURNS.get(image.getexif().get(_TAG, 1))
    except (OSError, ValueError, SyntaxError, TypeError, LookupError, ArithmeticError, struct.error):
        return None  # Pillow lets through whatever its reader of TIFF comes across
