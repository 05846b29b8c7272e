"""Exposure: how bright a lit hand is shown, so that its mean is the colour that it was given.

The paper colours a hand with the mean of its background. Light and shadow would move it away from that, so
the layer is multiplied by one number, as a camera would do. Bright values are rolled off instead of clipped:
a white hand keeps its shape, at the price of a mean below white.
"""

from typing import Final

import numpy as np
from jaxtyping import Float32

from shared.colour import linear_to_srgb

_KNEE: Final = 0.6
"""Linear value up to which a tone is kept exactly."""
_WHITEST: Final = 1.3
"""Exposed value, before the roll-off, that the bright parts of a hand may reach at most."""
_BRIGHT_PERCENTILE: Final = 90.0
_STEPS: Final = 14
"""Halvings of a range of four decades: exact to a thousandth."""
_PIXELS: Final = 600
"""Pixels that the mean is taken over while searching; all of them would cost time and change nothing."""


def expose(
    rgba: Float32[np.ndarray, "rows columns 4"], colour_rgb: tuple[float, float, float]
) -> Float32[np.ndarray, "rows columns 4"]:
    """Return a premultiplied layer whose mean over the hand, in sRGB, is close to the given colour.

    For colours between 0.1 and 0.75 the mean is met within 0.02 in every channel. Beyond, shape goes first:
    the mean of a white hand is up to 0.15 below white.

    Args:
        rgba: Scene-linear, premultiplied.
        colour_rgb: sRGB in [0, 1].
    """
    colour, coverage = rgba[..., :3], rgba[..., 3:]
    whole = colour[rgba[..., 3] > 0.99]
    if len(whole) == 0:
        return rgba
    gain = _gain(whole[:: max(1, len(whole) // _PIXELS)], target=float(np.mean(colour_rgb)))
    straight = colour * (gain / np.maximum(coverage, 1e-6))
    return np.concatenate([_rolled_off(straight) * coverage, coverage], axis=-1)


def _gain(colours: Float32[np.ndarray, "pixels 3"], *, target: float) -> float:
    """Return the factor after which the mean sRGB value is the target, or the largest that keeps shape."""
    bright = float(np.percentile(colours.max(axis=1), _BRIGHT_PERCENTILE))
    if bright <= 0:
        return 1.0
    high = _WHITEST / bright
    if _mean_srgb(high * colours) <= target:
        return high
    low = 1e-4 * high
    for _ in range(_STEPS):
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if _mean_srgb(middle * colours) < target else (low, middle)
    return high


def _mean_srgb(colours: Float32[np.ndarray, "pixels 3"]) -> float:
    return float(linear_to_srgb(_rolled_off(colours)).mean())


def _rolled_off(linear: Float32[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
    """Leave values up to the knee as they are, and bend those above it towards one."""
    room = 1 - _KNEE
    over = np.maximum(linear - _KNEE, 0) / room
    rolled: Float32[np.ndarray, "..."] = np.minimum(linear, _KNEE) + room * (1 - np.exp(-over))
    return rolled
