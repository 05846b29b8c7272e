"""A left hand near the labelled right one: beside it, behind it, or crossing before it, on its own arm."""

from typing import Final

import numpy as np
from jaxtyping import Float, Float32
from scipy.spatial import cKDTree

_MIRRORED: Final = np.array([-1, 1, 1], np.float32)
_APART_M: Final = 0.008
"""Least distance between the vertices of the two, which lie a little closer together than that."""
_STEPS_M: Final = np.linspace(0.0, 0.26, 14)
_TRIES: Final = 4
_NEAREST_M: Final = 0.12
"""Least depth of anything before the camera."""


def place_companion(
    ours_m: Float32[np.ndarray, "ours 3"],
    theirs_m: Float32[np.ndarray, "theirs 3"],
    rng: np.random.Generator,
) -> Float32[np.ndarray, "theirs 3"] | None:
    """Mirror another right hand with its arm and put it near ours, without going through it.

    Args:
        ours_m: All points of the labelled figure, the hand first.
        theirs_m: All points of the other figure, in its own picture.
        rng: Decides where it is.

    Returns:
        Its vertices; their faces must be turned. None if there is no room.
    """
    mirrored_m = (theirs_m - theirs_m[:700].mean(axis=0)) * _MIRRORED
    middle_m, tree = ours_m[:700].mean(axis=0), cKDTree(ours_m)
    for _ in range(_TRIES):
        least_m, depth_m = _relation(rng)
        angle = rng.uniform(0, 2 * np.pi)
        direction = np.array([np.cos(angle), np.sin(angle), 0.0])
        for step_m in _STEPS_M[least_m <= _STEPS_M]:
            placed_m = mirrored_m + middle_m + step_m * direction + [0.0, 0.0, depth_m]
            if placed_m[:, 2].min() > _NEAREST_M and _gap_m(tree, placed_m) > _APART_M:
                found_m: Float32[np.ndarray, "theirs 3"] = placed_m.astype(np.float32)
                return found_m
    return None


def _relation(rng: np.random.Generator) -> tuple[float, float]:
    """Return the least distance across the picture and the distance in depth: beside, behind, or before."""
    kind = rng.choice(3, p=(0.6, 0.2, 0.2))
    if kind == 0:
        return 0.02, float(rng.normal(0, 0.02))
    if kind == 1:
        return 0.0, float(rng.uniform(0.04, 0.12))
    return 0.06, float(-rng.uniform(0.04, 0.12))


def _gap_m(tree: cKDTree, points_m: Float[np.ndarray, "points 3"]) -> float:
    distances_m, _ = tree.query(points_m, distance_upper_bound=2 * _APART_M)
    return float(distances_m.min())
