"""Poses for a purpose: signs made of single fingers, and grips on things of any size."""

from collections.abc import Callable
from typing import Final

import numpy as np
from jaxtyping import Float

type Angles = Float[np.ndarray, "5 5"]
"""Degrees; a row per finger, thumb first: base flexion, abduction, and twist, then middle and end flexion."""

type _Joints = tuple[float, float, float]

_FINGER: Final[tuple[tuple[_Joints, float], ...]] = (
    ((2, 5, 3), 0.38),  # straight
    ((78, 96, 62), 0.30),  # curled
    ((30, 50, 25), 0.12),  # bent
    ((8, 82, 50), 0.08),  # hooked
    ((72, 6, 4), 0.06),  # at a right angle to the palm
    ((60, 90, 5), 0.06),  # on the palm
)
"""What single fingers do in signs: base, middle and end flexion in degrees, and how often."""
_LIKE_NEIGHBOUR: Final = 0.45
"""How often a finger does what the one before it does."""
_THUMB: Final = (
    (-14, -18, 0, -5, -10),  # out
    (5, -2, 0, 5, 8),  # along the palm
    (38, -7, 17, 36, 45),  # over curled fingers
    (45, 2, 20, 25, 40),  # across the palm
    (10, -24, 12, 8, 25),  # beside the index finger
)
_MEETS: Final = (
    ((26, 7, 19, 10, 23), (52, 0, 0, 49, 26)),
    ((34, 8, 20, 10, 24), (55, 0, 0, 49, 26)),
    ((41, 7, 22, 13, 27), (58, 0, 0, 51, 28)),
    ((47, 6, 24, 16, 30), (62, 6, 0, 50, 28)),
)
"""Of index to little finger: thumb and finger when their tips meet."""
_FAN: Final = np.array([0, 10, 1, -7, -13])
"""Abduction of fingers that are spread."""


def sample_sign(rng: np.random.Generator) -> Angles:
    """Return fingers that each do something of their own, as in finger spelling and counting."""
    angles = np.zeros((5, 5))
    shapes, shares = (list(column) for column in zip(*_FINGER, strict=True))
    shape = shapes[rng.choice(len(shapes), p=shares)]
    for finger in range(1, 5):
        if finger == 1 or rng.random() > _LIKE_NEIGHBOUR:
            shape = shapes[rng.choice(len(shapes), p=shares)]
        angles[finger, [0, 3, 4]] = shape
    angles[0] = _THUMB[rng.integers(len(_THUMB))]
    if rng.random() < 0.25:
        met = int(rng.integers(4))
        angles[0], angles[met + 1] = _MEETS[met]
    _spread(angles, rng.normal(0.2, 0.6))
    return angles + rng.normal(scale=(5, 3, 2, 6, 5), size=(5, 5))


def sample_grip(rng: np.random.Generator) -> Angles:
    """Return a hand that could hold something: anything from a pen to a ball as large as the palm."""
    grips: tuple[Callable[[np.random.Generator], Angles], ...] = (_power, _fingertips, _key, _hook, _tray)
    angles = grips[rng.choice(len(grips), p=(0.32, 0.34, 0.12, 0.10, 0.12))](rng)
    return angles + rng.normal(scale=(4, 3, 2, 5, 4), size=(5, 5))


def _power(rng: np.random.Generator) -> Angles:
    """Close all fingers around a bar, a bottle or a cup."""
    openness = rng.uniform(0, 1)
    angles = np.zeros((5, 5))
    angles[1:, 0] = 62 - 32 * openness + np.linspace(-6, 6, 4) * rng.normal(1, 0.7)
    angles[1:, 3] = 82 - 52 * openness
    angles[1:, 4] = 48 - 28 * openness
    angles[0] = (
        34 - 24 * openness,
        4 + 12 * openness,
        16 + 8 * openness,
        22 - 20 * openness,
        34 - 28 * openness,
    )
    _spread(angles, 0.7 * openness)
    return angles


def _fingertips(rng: np.random.Generator) -> Angles:
    """Hold between the tips of the thumb and of one to four fingers; the others are at ease."""
    openness, count = rng.uniform(0, 1), int(rng.integers(1, 5))
    angles = np.zeros((5, 5))
    for finger in range(1, 5):
        holds = finger <= count
        ease = rng.uniform(0.1, 1.1)
        angles[finger, [0, 3, 4]] = (
            (52 - 12 * openness, 46 - 24 * openness, 25 - 12 * openness)
            if holds
            else (30 * ease + 8, 45 * ease, 22 * ease)
        )
    angles[0] = np.array(_MEETS[min(count - 1, 2)][0]) - openness * np.array([16, -8, 4, 10, 14])
    _spread(angles, 0.6 * openness * (count > 2))
    return angles


def _key(rng: np.random.Generator) -> Angles:
    """Press the thumb on the side of the index finger, as on a key or a card."""
    angles = np.zeros((5, 5))
    angles[1:, [0, 3, 4]] = np.array([48, 68, 34]) + np.linspace(-12, 12, 4)[:, None] * rng.uniform(0.2, 1)
    angles[0] = (14, -8, 8, 4, 30)
    return angles


def _hook(rng: np.random.Generator) -> Angles:
    """Carry a bag by its handle."""
    angles = np.zeros((5, 5))
    angles[1:, [0, 3, 4]] = np.array([14, 78, 40]) * rng.uniform(0.7, 1.1)
    angles[0] = (8, -6, 4, 10, 15)
    return angles


def _tray(rng: np.random.Generator) -> Angles:
    """Carry on a flat hand, or lay it on something."""
    angles = np.zeros((5, 5))
    angles[1:, [0, 3, 4]] = np.array([12, 12, 6]) * rng.uniform(-0.4, 1.6)
    angles[0] = (rng.uniform(-15, 25), -12, 5, 5, 5)
    _spread(angles, rng.uniform(-0.2, 1))
    return angles


def _spread(angles: Angles, fan: float) -> None:
    """Spread the fingers, the less the more they are bent."""
    straightness = 1 - 0.9 * np.clip(angles[1:, 0] / 70, 0, 1)
    angles[1:, 1] += fan * _FAN[1:] * straightness
