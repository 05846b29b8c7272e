"""Decoding one photograph of a dataset, or saying in a few words why that cannot be done."""

from pathlib import Path

import numpy as np
from PIL import Image

from shared.images import Rgb
from trainer.import_dataset.reader import LeftOut


def read_photograph(path: Path) -> Rgb:
    """Return the pixels.

    Raises:
        LeftOut: The file is missing or damaged.
    """
    try:
        with Image.open(path) as picture:
            return np.array(picture.convert("RGB"))
    except FileNotFoundError as error:
        raise LeftOut("the photograph is missing") from error
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise LeftOut("the photograph cannot be decoded") from error
