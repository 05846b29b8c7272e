"""Skin for made-up photographs: how its tone varies over a hand, and how it shines."""

from typing import Final

import numpy as np
from jaxtyping import Float, Float32

from render_worker.dataset.skin_map import SkinMap
from shared.colour import srgb_to_linear

_FLUSH: Final = np.array([0.10, -0.10, -0.08], dtype=np.float32)
"""What more blood under the skin does to its linear colour, relative to it."""
_NUM_WAVES: Final = 12
_WAVES_PER_M: Final = (60.0, 500.0)
"""Patterns from as broad as the palm to as fine as the mesh of an arm can show, in radians per metre."""
_HIDDEN_RGB: Final = np.array([0.65, 0.88, 1.0], dtype=np.float32)
"""Powers of the visible share of the sky: light that has been inside of skin leaves it red."""
_REFLECTANCE: Final = 0.035
"""Of skin, seen head-on."""


def paint_skin(
    where: SkinMap, *, tone: tuple[float, float, float], rng: np.random.Generator, has_detail: bool = True
) -> Float32[np.ndarray, "verts 3"]:
    """Return a scene-linear colour per vertex.

    Knuckles and fingertips are redder, the palm is paler than the back (the more, the darker the skin),
    and patches differ a little. In detail, creases are darker and redder, and nails paler and pinker.
    """
    crease, nail = (where.crease, where.nail) if has_detail else (0.0 * where.crease, 0.0 * where.nail)
    flush = (
        rng.uniform(0.3, 1.2) * where.flush
        + rng.uniform(0.0, 0.9) * where.knuckle
        + rng.uniform(0.3, 0.9) * patches(where.place_m, rng)
    )
    darkness = 1 - float(np.mean(tone))
    brightness = (
        (1 + 1.6 * darkness**2 * np.clip(where.palm, 0, 1))
        * (1 - rng.uniform(0.25, 0.5) * crease)
        * (1 + rng.uniform(0.05, 0.14) * patches(where.place_m, rng))
        * (1 + rng.uniform(0.1, 0.35) * nail)
    )
    redder = (flush + 0.8 * nail + 0.7 * crease)[:, None] * _FLUSH
    colour = srgb_to_linear(np.array(tone)) * brightness[:, None] * (1 + redder)
    painted: Float32[np.ndarray, "verts 3"] = np.clip(colour, 0.0, 0.95).astype(np.float32)
    return painted


def adorn(
    colours: Float32[np.ndarray, "verts 3"], where: SkinMap, rng: np.random.Generator, *, share: float
) -> Float32[np.ndarray, "verts 3"]:
    """Return colours of skin with nail polish, a ring or two, and a watch or a band, each now and then."""
    if rng.random() < share:
        colours = _over(colours, where.nail, srgb_to_linear(rng.uniform(0.05, 0.95, 3)))
    if rng.random() < share:
        for finger in rng.choice(5, size=int(rng.integers(1, 3)), replace=False):
            metal = np.array([0.85, 0.65 + 0.2 * rng.random(), 0.35 + 0.5 * rng.random()])
            colours = _over(colours, where.ring[:, finger], metal * rng.uniform(0.4, 1.0))
    if rng.random() < share:
        middle_m, half_m = rng.uniform(0.02, 0.05), rng.uniform(0.002, 0.013)
        beyond_m = np.abs(where.up_arm_m - middle_m)
        colours = _over(
            colours,
            np.clip((half_m - beyond_m) / 0.0015 + 0.5, 0, 1),
            srgb_to_linear(rng.uniform(0.03, 0.9) * rng.uniform(0.4, 1.0, 3)),
        )
    return colours


def _over(
    colours: Float32[np.ndarray, "verts 3"], share: Float[np.ndarray, " verts"], paint: np.ndarray
) -> Float32[np.ndarray, "verts 3"]:
    painted: Float32[np.ndarray, "verts 3"] = (colours + share[:, None] * (paint[None] - colours)).astype(
        np.float32
    )
    return painted


def patches(
    place_m: Float32[np.ndarray, "verts 3"], rng: np.random.Generator
) -> Float32[np.ndarray, " verts"]:
    """Return a random pattern on the open hand between about -1 and 1, coarser parts stronger."""
    wavenumbers = np.geomspace(*_WAVES_PER_M, _NUM_WAVES)
    directions = rng.normal(size=(3, _NUM_WAVES))
    directions *= wavenumbers / np.linalg.norm(directions, axis=0)
    strengths = wavenumbers**-0.35
    phases = place_m @ directions.astype(np.float32) + rng.uniform(0, 2 * np.pi, _NUM_WAVES).astype(
        np.float32
    )
    strengths = (strengths / np.sqrt(2 * (strengths**2).sum())).astype(np.float32)
    pattern: Float32[np.ndarray, " verts"] = np.sin(phases) @ strengths
    return pattern


def softened(visible: Float32[np.ndarray, " verts"]) -> Float32[np.ndarray, "verts 3"]:
    """Return the visible share of the sky as skin shows it: folds are red rather than grey."""
    softer: Float32[np.ndarray, "verts 3"] = visible[:, None] ** _HIDDEN_RGB
    return softer


def specular(
    normals: Float32[np.ndarray, "verts 3"],
    to_camera: Float32[np.ndarray, "verts 3"],
    to_lamp: Float32[np.ndarray, " 3"],
    *,
    sharpness: float | Float32[np.ndarray, " verts"],
) -> Float32[np.ndarray, " verts"]:
    """Return what skin mirrors of a lamp, as a share of what a white surface would send out (Blinn-Phong).

    Args:
        normals: Unit.
        to_camera: Unit.
        to_lamp: Unit.
        sharpness: Exponent; 10 is dry skin, 100 a nail.
    """
    halfway = to_camera + to_lamp
    halfway /= np.maximum(np.linalg.norm(halfway, axis=1, keepdims=True), 1e-6)
    cosine = np.clip((normals * halfway).sum(axis=1), 0, 1)
    shine = fresnel(normals, to_camera) * (sharpness + 8) / 8 * cosine**sharpness
    shown: Float32[np.ndarray, " verts"] = shine.astype(np.float32)
    return shown


def fresnel(
    normals: Float32[np.ndarray, "verts 3"], to_camera: Float32[np.ndarray, "verts 3"]
) -> Float32[np.ndarray, " verts"]:
    """Return the share of light that skin mirrors (Schlick), at grazing angles less than glass does."""
    grazing = (1 - np.clip((normals * to_camera).sum(axis=1), 0, 1)) ** 5
    share: Float32[np.ndarray, " verts"] = _REFLECTANCE + 0.08 * grazing
    return share
