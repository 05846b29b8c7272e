"""Skin for made-up photographs: a tone, and how it varies over a hand. Twins do not use it."""

from typing import Final

import numpy as np
from jaxtyping import Float32

from shared.colour import srgb_to_linear
from shared.skeleton import FINGERS, TIPS, WRIST

_TONES: Final = (
    (0.95, 0.81, 0.73),
    (0.91, 0.75, 0.65),
    (0.87, 0.69, 0.57),
    (0.80, 0.61, 0.48),
    (0.72, 0.53, 0.40),
    (0.62, 0.43, 0.31),
    (0.51, 0.34, 0.24),
    (0.40, 0.26, 0.18),
    (0.31, 0.20, 0.14),
)
"""Skin in sRGB from light to dark, as it looks in daylight."""

_KNUCKLES: Final = tuple(joint for chain in FINGERS.values() for joint in chain[:-1])
_FLUSH: Final = np.array([0.10, -0.10, -0.08], dtype=np.float32)
"""What more blood under the skin does to its linear colour, relative to it."""
_REACH_M: Final = 0.009
_NUM_WAVES: Final = 6


def choose_tone(rng: np.random.Generator) -> tuple[float, float, float]:
    """Return a skin tone in sRGB, anywhere along the palette."""
    place = rng.uniform(0, len(_TONES) - 1)
    channels = zip(*_TONES, strict=True)
    red, green, blue = (float(np.interp(place, range(len(_TONES)), channel)) for channel in channels)
    return red, green, blue


def paint_skin(
    verts_m: Float32[np.ndarray, "verts 3"],
    normals: Float32[np.ndarray, "verts 3"],
    joints_m: Float32[np.ndarray, "21 3"],
    *,
    tone: tuple[float, float, float],
    rng: np.random.Generator,
) -> Float32[np.ndarray, "verts 3"]:
    """Return a scene-linear colour per vertex.

    Knuckles and fingertips are redder, the palm is paler than the back (the more, the darker the skin), and
    broad patches differ a little.
    """
    flush = (
        rng.uniform(0.3, 1.2) * _near(verts_m, joints_m[list(TIPS)])
        + rng.uniform(0.0, 0.8) * _near(verts_m, joints_m[list(_KNUCKLES)])
        + rng.uniform(0.2, 0.8) * _patches(verts_m, rng)
    )
    darkness = 1 - float(np.mean(tone))
    palm = np.clip(normals @ _palm_direction(joints_m), 0, 1)
    paler = 1 + 1.6 * darkness**2 * palm
    colour = srgb_to_linear(np.array(tone)) * paler[:, None] * (1 + flush[:, None] * _FLUSH)
    painted: Float32[np.ndarray, "verts 3"] = np.clip(colour, 0.0, 0.95).astype(np.float32)
    return painted


def _near(
    verts_m: Float32[np.ndarray, "verts 3"], places_m: Float32[np.ndarray, "places 3"]
) -> Float32[np.ndarray, " verts"]:
    """Return one at the places, falling to zero around them."""
    squared = ((verts_m[:, None] - places_m) ** 2).sum(axis=-1).min(axis=1)
    near: Float32[np.ndarray, " verts"] = np.exp(-squared / _REACH_M**2)
    return near


def _patches(
    verts_m: Float32[np.ndarray, "verts 3"], rng: np.random.Generator
) -> Float32[np.ndarray, " verts"]:
    """Return broad random patches between about -1 and 1."""
    directions = rng.normal(size=(3, _NUM_WAVES)) * rng.uniform(60, 250, _NUM_WAVES)
    waves: Float32[np.ndarray, " verts"] = np.sin(
        (verts_m - verts_m.mean(axis=0)) @ directions + rng.uniform(0, 2 * np.pi, _NUM_WAVES)
    ).mean(axis=1)
    return waves


def _palm_direction(joints_m: Float32[np.ndarray, "21 3"]) -> Float32[np.ndarray, " 3"]:
    """Return the unit vector out of the palm of a right hand."""
    index, little = joints_m[FINGERS["index"][0]], joints_m[FINGERS["little"][0]]
    across = np.cross(index - joints_m[WRIST], little - joints_m[WRIST])
    direction: Float32[np.ndarray, " 3"] = across / max(float(np.linalg.norm(across)), 1e-12)
    return direction
