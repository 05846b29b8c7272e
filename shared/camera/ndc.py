"""Pixels of a square image, and its unit square."""

import numpy as np
from jaxtyping import Float


def ndc_to_px(ndc: Float[np.ndarray, "*points 2"], *, size_px: int) -> Float[np.ndarray, "*points 2"]:
    """Convert the unit square of a square image to pixels; (-1, -1) is the corner (-0.5, -0.5)."""
    return (ndc + 1) * (size_px / 2) - 0.5


def px_to_ndc(px: Float[np.ndarray, "*points 2"], *, size_px: int) -> Float[np.ndarray, "*points 2"]:
    """Convert pixels of a square image to its unit square; the inverse of `ndc_to_px`."""
    return (px + 0.5) * (2 / size_px) - 1
