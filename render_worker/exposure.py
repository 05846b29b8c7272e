"""Exposure: how bright a lit hand is shown, so that its mean is the colour that it was given.

The paper colours a hand with the mean of its background. Light and shadow would move it away from that, so
the layer is multiplied by one number, as a camera would do. Bright values are rolled off instead of clipped:
a white hand keeps its shape, at the price of a mean below white.
"""

from typing import Final

import numpy as np
from jaxtyping import Float32
from scipy.optimize import brentq

from shared.colour import encode_srgb8

_KNEE: Final = 0.6
"""Linear value up to which a tone is kept exactly."""
_WHITEST: Final = 1.15
"""Exposed value, before the roll-off, that the bright parts of a hand may reach at most."""
_BRIGHT_PERCENTILE: Final = 90.0
_DECADES: Final = 4
"""Range in which the factor is looked for."""
_PIXELS: Final = 600
"""Pixels that the mean is taken over while searching; all of them would cost time and change nothing."""


def expose(
    rgba: Float32[np.ndarray, "rows columns 4"], colour_rgb: tuple[float, float, float]
) -> Float32[np.ndarray, "rows columns 4"]:
    """Return a premultiplied layer whose mean over the hand, in sRGB, is close to the given colour.

    For colours between 0.1 and 0.7 the mean is met within 0.02 in every channel. Beyond, shape goes first:
    the mean of a white hand is up to 0.2 below white.

    Args:
        rgba: Scene-linear, premultiplied.
        colour_rgb: sRGB in [0, 1].
    """
    coverage = rgba[..., 3]
    whole = rgba[coverage > 0.99][:, :3]
    if len(whole) == 0:
        return rgba
    gain = _gain(whole[:: max(1, len(whole) // _PIXELS)], target=float(np.mean(colour_rgb)))
    touched = coverage > 0
    straight = rgba[touched][:, :3] * (gain / coverage[touched, None])
    exposed = rgba.copy()
    exposed[touched, :3] = _rolled_off(straight) * coverage[touched, None]
    return exposed


def _gain(colours: Float32[np.ndarray, "pixels 3"], *, target: float) -> float:
    """Return the factor after which the mean sRGB value is the target, or the largest that keeps shape."""
    bright = float(np.percentile(colours.max(axis=1), _BRIGHT_PERCENTILE))
    if bright <= 0:
        return 1.0

    def too_bright(log_gain: float) -> float:
        shown = encode_srgb8(_rolled_off(np.float32(np.exp(log_gain)) * colours))
        return float(shown.mean()) / 255 - target

    most = float(np.log(_WHITEST / bright))
    least = most - _DECADES * np.log(10)
    if too_bright(most) <= 0:
        return float(np.exp(most))
    if too_bright(least) >= 0:
        return float(np.exp(least))
    return float(np.exp(brentq(too_bright, least, most, xtol=1e-3)))


def _rolled_off(linear: Float32[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
    """Leave values up to the knee as they are, and bend those above it towards one."""
    room = 1 - _KNEE
    over = np.maximum(linear - _KNEE, 0) / room
    rolled: Float32[np.ndarray, "..."] = np.minimum(linear, _KNEE) + room * (1 - np.exp(-over))
    return rolled
