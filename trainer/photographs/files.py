"""People's own photographs: listed, decoded whatever their format, and turned upright."""

import io
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from shared.errors import ConfigError, DatasetError
from shared.images import DAMAGED_PICTURE, PHOTOGRAPH_SUFFIXES, Rgb, film_focal_mm, turn_of
from shared.regular_file import read_regular_file

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


def open_photograph(path: Path) -> Photograph:
    """Decode a picture as people see it.

    Turned upright by its Exif orientation; transparent parts become white; greyscale, palettes, CMYK and 16
    bits per channel become 8-bit RGB; of an animation the first frame is taken.

    Raises:
        DatasetError: The file is missing, damaged, no picture, or larger than Pillow trusts (179 megapixels).
    """
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(io.BytesIO(read_regular_file(path))) as file,
        ):
            file.load()
            turn = turn_of(file)
            upright = file if turn is None else file.transpose(turn)
            return Photograph(np.array(_eight_bit_rgb(upright)), film_focal_mm(file))
    except UnidentifiedImageError as error:
        raise DatasetError(f"{path}: expected a photograph, found a problem: it is no picture.") from error
    except DAMAGED_PICTURE as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise DatasetError(f"{path}: expected a photograph, found a problem: {reason}.") from error


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
        if path.suffix.lower() in PHOTOGRAPH_SUFFIXES
        and path.is_file()
        and not (is_inside and excluded in path.resolve().parents)
    ]
    if not found:
        raise DatasetError(
            f"{folder}: expected photographs ({', '.join(sorted(PHOTOGRAPH_SUFFIXES))}), found none.",
            remedy="Give another.",
        )
    return found


def names_of(paths: Sequence[Path], folder: Path) -> list[Path]:
    """Return a name for what belongs to each picture, without its suffix unless two would be alike."""
    relative = [path.relative_to(folder) for path in paths]
    short = [path.with_suffix("") for path in relative]
    taken = Counter(short) + Counter(relative)  # a.jpg.png would be called a.jpg, as a.jpg is beside a.png
    return [name if taken[name] == 1 else full for name, full in zip(short, relative, strict=True)]


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
