"""Whether predictions look like hands yet: an untrained network draws spikes, the same hand, or flat ones."""

from typing import Final

import numpy as np
from jaxtyping import Float, Int

UNEVEN_ABOVE: Final = 0.35
"""Mean of how edges differ from those of the labels, as a logarithm: 0.35 is 40 per cent more or less."""
ALIKE_BELOW: Final = 0.25
"""Spread of the predictions as a share of that of the labels."""
NARROW_BELOW: Final = 0.8
"""Width of the predictions as a share of that of the labels: 0.7 made a network worse, good ones have more
than 0.9 (EXPERIMENTS.md)."""


def doubt_about(
    verts_m: Float[np.ndarray, "hands verts 3"],
    labels_m: Float[np.ndarray, "hands verts 3"],
    faces: Int[np.ndarray, "faces 3"],
) -> str | None:
    """Return why predictions are not taken for hands; None if they are.

    Args:
        verts_m: Predicted vertices, in any frame that keeps the camera's axes.
        labels_m: The true ones of the same photographs.
        faces: Triangles of both.
    """
    uneven = float(np.abs(np.log(_edges_m(verts_m, faces) / _edges_m(labels_m, faces))).mean())
    if uneven > UNEVEN_ABOVE:
        return (
            f"their edges are {np.expm1(uneven):.0%} longer or shorter than those of the labels, as in spikes"
        )
    spread, expected = _spread_m(verts_m), _spread_m(labels_m)
    if spread < ALIKE_BELOW * expected:
        return f"they differ by {1000 * spread:.1f} mm where the labels differ by {1000 * expected:.1f} mm"
    width = float(np.median(_widths_m(verts_m) / _widths_m(labels_m)))
    if width < NARROW_BELOW:
        return f"they are {width:.0%} as wide as the labels, as flat hands are"
    return None


def _edges_m(verts_m: np.ndarray, faces: np.ndarray) -> Float[np.ndarray, "hands edges"]:
    lengths: np.ndarray = np.linalg.norm(verts_m[:, faces] - verts_m[:, np.roll(faces, -1, axis=1)], axis=-1)
    return lengths.reshape(len(verts_m), -1).clip(1e-6)


def _spread_m(verts_m: np.ndarray) -> float:
    """Return the mean distance of vertices from where they are on average, over hands about their centres."""
    centred = _centred(verts_m)
    return float(np.linalg.norm(centred - centred.mean(axis=0), axis=-1).mean())


def _widths_m(verts_m: np.ndarray) -> Float[np.ndarray, " hands"]:
    """Return how far hands reach along their second longest direction, as the root of a sum of squares."""
    widths: np.ndarray = np.linalg.svd(_centred(verts_m), compute_uv=False)[:, 1]
    return widths.clip(1e-6)


def _centred(verts_m: np.ndarray) -> np.ndarray:
    centred: np.ndarray = verts_m - verts_m.mean(axis=1, keepdims=True)
    return centred
