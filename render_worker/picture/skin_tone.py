"""The colour of a hand that has skin: a tone from a palette, as bright as its surroundings let it look."""

from typing import Final

import numpy as np

_TONES: Final = (
    (0.93, 0.76, 0.66),
    (0.90, 0.71, 0.60),
    (0.86, 0.66, 0.53),
    (0.80, 0.61, 0.48),
    (0.72, 0.53, 0.40),
    (0.62, 0.43, 0.31),
    (0.51, 0.34, 0.24),
    (0.40, 0.26, 0.18),
    (0.31, 0.20, 0.14),
)
"""Skin in sRGB from light to dark, as it looks in daylight."""

_BRIGHTNESS: Final = (0.75, 1.05)
_FOLLOWS: Final = 0.3
"""How far, in powers, a hand's brightness follows that of its background; 1 would make them equal."""


def choose_tone(rng: np.random.Generator) -> tuple[float, float, float]:
    """Return a skin tone in sRGB, anywhere along the palette."""
    position = rng.uniform(0, len(_TONES) - 1)
    channels = zip(*_TONES, strict=True)
    red, green, blue = (float(np.interp(position, range(len(_TONES)), channel)) for channel in channels)
    return red, green, blue


def seen_colour(
    tone: tuple[float, float, float], rng: np.random.Generator, *, background_rgb: tuple[float, float, float]
) -> tuple[float, float, float]:
    """Return the mean colour of a hand in sRGB: dark surroundings make it darker, bright ones brighter."""
    surroundings = float(np.clip((np.mean(background_rgb) / np.mean(tone)) ** _FOLLOWS, 0.6, 1.3))
    brightness = float(rng.uniform(*_BRIGHTNESS))
    red, green, blue = (min(0.85, brightness * surroundings * value) for value in tone)
    return red, green, blue
