"""Exposure: how bright a lit hand is shown, so that its mean is the colour that it was given.

The paper colours a hand with the mean of its background. Light and shadow would move it away from that, so
the layer is multiplied by one number, as a camera would do. Bright values are rolled off instead of clipped:
a white hand keeps its shape, at the price of a mean below white.
"""

from typing import Final

import cv2
import numpy as np
from jaxtyping import Float32

from shared.colour import encode_srgb8, srgb_to_linear

_KNEE: Final = 0.6
"""Linear value up to which a tone is kept exactly."""
_WHITEST: Final = 1.15
"""Exposed value, before the roll-off, that the bright parts of a hand may reach at most."""
_BRIGHT_SHARE: Final = 0.9
_DARKEST: Final = 1e-3
"""Mean sRGB value that counts as black, where ratios lose their meaning."""
_LEAST_COVERAGE: Final = 1e-6
_STEPS: Final = 20
_PRECISION: Final = 2e-3
"""Relative error of the factor at which the search ends: a quarter of an 8-bit step."""
_PIXELS: Final = 600
"""Pixels that the mean is taken over while searching; all of them would cost time and change nothing."""


def expose(
    rgba: Float32[np.ndarray, "rows columns 4"],
    colour_rgb: tuple[float, float, float],
    *,
    of: Float32[np.ndarray, "rows columns"] | None = None,
) -> Float32[np.ndarray, "rows columns 4"]:
    """Return a premultiplied layer whose mean over the hand, in sRGB, is close to the given colour.

    For colours between 0.1 and 0.7 the mean is met within 0.02 in every channel. Beyond, shape goes first:
    the mean of a white hand is up to 0.2 below white.

    Args:
        rgba: Scene-linear, premultiplied.
        colour_rgb: sRGB in [0, 1].
        of: Coverage by what the mean is taken over; all that the layer shows if left out.
    """
    coverage = cv2.extractChannel(rgba, 3).ravel()
    whole = np.flatnonzero((coverage if of is None else of.ravel()) > 0.99)
    if len(whole) == 0:
        return rgba
    some = rgba.reshape(-1, 4).take(whole[:: max(1, len(whole) // _PIXELS)], axis=0)[:, :3]
    gain = _gain(some, target=sum(colour_rgb) / 3)
    layer = rgba * np.float32(gain)  # all four channels: memory without gaps is twenty times as fast
    layer[..., 3] = rgba[..., 3]
    pixels = layer.reshape(-1, 4)
    brightest = cv2.max(cv2.max(pixels[:, 0], pixels[:, 1]), pixels[:, 2]).ravel()
    bright = np.flatnonzero(brightest > _KNEE * coverage)
    if len(bright):  # few, or none
        light, share = pixels[bright, :3], np.maximum(coverage[bright, None], _LEAST_COVERAGE)
        pixels[bright, :3] = _rolled_off(light / share) * share
    return layer


def _gain(colours: Float32[np.ndarray, "pixels 3"], *, target: float) -> float:
    """Return the factor after which the mean sRGB value is the target, or the largest that keeps shape."""
    red, green, blue = colours.T
    brightest = np.sort(np.maximum(np.maximum(red, green), blue))[int(_BRIGHT_SHARE * len(colours))]
    if brightest <= 0:
        return 1.0
    most = _WHITEST / float(brightest)
    wanted = _light_of(target)
    gain = min(most, wanted / float(colours.mean()))
    for _ in range(_STEPS):
        # In linear light the mean grows at most as the factor does, so no step goes too far.
        shown = encode_srgb8(_rolled_off(np.float32(gain) * colours))
        step = wanted / _light_of(float(shown.mean()) / 255)
        gain = min(most, gain * step)
        if abs(step - 1) < _PRECISION or (step > 1 and gain == most):
            break
    return gain


def _light_of(srgb: float) -> float:
    """Return the linear light of an sRGB value; ratios to black would have no meaning."""
    return float(srgb_to_linear(np.array(max(srgb, _DARKEST))))


def _rolled_off(linear: Float32[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
    """Leave values up to the knee as they are, and bend those above it towards one, in place."""
    bright = linear > _KNEE
    if bright.any():  # seldom, and an exponential costs more than all the rest
        room = 1 - _KNEE
        bent = (_KNEE - linear[bright]) / room
        np.exp(bent, out=bent)
        linear[bright] = bent * -room + room + _KNEE
    return linear
