"""The axes of the template, which are MANO's: fingers along -x, the back of the hand along y."""

from typing import Final

import numpy as np
from jaxtyping import Float32

PALM_TO_CAMERA: Final[Float32[np.ndarray, "3 3"]] = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]], np.float32)
"""Rotation from the template's axes to those of a camera that sees the palm of a raised right hand."""
