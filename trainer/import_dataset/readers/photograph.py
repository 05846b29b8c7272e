"""Decoding one photograph of a dataset, or saying in a few words why that cannot be done."""

from pathlib import Path

from shared.images import Rgb, decode_rgb
from shared.storage.regular_file import read_regular_file
from trainer.import_dataset.reader import LeftOut


def read_photograph(path: Path) -> Rgb:
    """Return the pixels.

    Raises:
        LeftOut: The file is missing or damaged.
    """
    try:
        return decode_rgb(read_regular_file(path))
    except FileNotFoundError as error:
        raise LeftOut("the photograph is missing") from error
    except (OSError, ValueError) as error:
        raise LeftOut("the photograph cannot be decoded") from error
