"""People's own photographs: listed, decoded whatever their format, and turned upright."""

import io
import warnings
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from shared.errors import ConfigError, DatasetError
from shared.images import DAMAGED_PICTURE, PHOTOGRAPH_SUFFIXES, Rgb, film_focal_mm, turn_of
from shared.storage.regular_file import read_regular_file

UNREADABLE_SUFFIXES: Final = frozenset({".heic", ".heif", ".hif", ".jxl"})
"""Of photographs that Pillow cannot decode: they are named, not passed over."""

_BRANDS: Final = {b"ftyphei": "HEIC", b"ftyphev": "HEIC", b"ftypmif": "HEIF", b"ftypmsf": "HEIF"}
_SIXTEEN_BIT = frozenset({"I;16", "I;16B", "I;16L", "I;16N", "I"})


class Photograph(NamedTuple):
    """A picture as people see it.

    Attributes:
        rgb: Its pixels, upright.
        film_focal_mm: The focal length that would have shown as much on 35 mm film, if Exif says.
    """

    rgb: Rgb
    film_focal_mm: float | None


def read_photograph(path: Path) -> Rgb:
    """Return the pixels of `open_photograph`."""
    return open_photograph(path).rgb


def open_photograph(path: Path, *, name: object = None) -> Photograph:
    """Decode a picture as people see it.

    Turned upright by its Exif orientation; transparent parts become white; greyscale, palettes, CMYK and 16
    bits per channel become 8-bit RGB; of an animation the first frame is taken.

    Args:
        path: The file.
        name: What an error calls it, if that is not its path.

    Raises:
        DatasetError: The file is missing, damaged, no picture, or larger than Pillow trusts (179 megapixels).
    """
    try:
        content = read_regular_file(path)
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(content)) as file:
            file.load()
            turn = turn_of(file)
            upright = file if turn is None else file.transpose(turn)
            return Photograph(np.array(_eight_bit_rgb(upright)), film_focal_mm(file))
    except UnidentifiedImageError as error:
        raise _no_picture(name or path, content) from error
    except DAMAGED_PICTURE as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise DatasetError(f"{name or path}: expected a photograph, found a problem: {reason}.") from error


def _no_picture(name: object, content: bytes) -> DatasetError:
    """Say what was found instead, where a person can do something about it."""
    start = content[:512].lstrip().lower()
    if (brand := _BRANDS.get(content[4:11])) is not None:
        found, remedy = f"it is {brand}, which Pillow cannot decode", "Convert it to JPEG or PNG."
    elif start.startswith((b"<!doctype html", b"<html")):
        found, remedy = "it is a page of the web", "Give the address of the picture itself."
    else:
        found, remedy = "it is no picture", ""
    return DatasetError(f"{name}: expected a photograph, found a problem: {found}.", remedy=remedy)


def list_photographs(folder: Path, *, without: Path) -> list[Path]:
    """Return the pictures in a folder and below, in order.

    Args:
        folder: Where to look.
        without: What lies below this one is left out, if it is a folder in that one: earlier output.

    Raises:
        ConfigError: Both are the same folder.
        DatasetError: There are none.
    """
    excluded = without.resolve()
    if excluded == folder.resolve():
        raise ConfigError(
            f"{without}: expected another folder for output than that of the photographs, found the same.",
            remedy="Give another --out.",
        )
    is_inside = folder.resolve() in excluded.parents
    found = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in PHOTOGRAPH_SUFFIXES | UNREADABLE_SUFFIXES
        and path.is_file()
        and not (is_inside and excluded in path.resolve().parents)
    ]
    if not found:
        raise DatasetError(
            f"{folder}: expected photographs ({', '.join(sorted(PHOTOGRAPH_SUFFIXES))}), found none.",
            remedy="Give another.",
        )
    return found


def _eight_bit_rgb(image: Image.Image) -> Image.Image:
    if image.mode in _SIXTEEN_BIT:  # Pillow would cut everything above 255 off
        return Image.fromarray(np.clip(np.asarray(image) // 257, 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode == "F":
        raise ValueError("it holds fractions of unknown range; save it with 8 or 16 bits")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")
