"""Joints as convex combinations of nearby vertices: they follow every shape, and no vertex's noise grows."""

import numpy as np
from jaxtyping import Float64
from scipy.optimize import nnls

_STIFFNESS = 1e3
"""Weight of the condition that the shares sum to 1, relative to the size of the data."""


def fit_convex_row(
    verts_m: Float64[np.ndarray, "samples verts 3"],
    targets_m: Float64[np.ndarray, "samples 3"],
    *,
    candidates: int,
) -> Float64[np.ndarray, " verts"]:
    """Return the non-negative shares, which sum to 1, of the vertices whose mean comes closest to a target.

    Args:
        verts_m: The same mesh in many shapes or poses; the nearest vertices are chosen in their mean.
        targets_m: Where the point lies in each of them.
        candidates: How many of the nearest vertices may take part.
    """
    offsets = verts_m - targets_m[:, None]
    near = np.argsort((offsets**2).sum(-1).mean(0), kind="stable")[:candidates]
    system = offsets[:, near].transpose(0, 2, 1).reshape(-1, candidates)
    weight = _STIFFNESS * np.abs(system).mean()
    shares, _ = nnls(
        np.vstack([system, np.full((1, candidates), weight)]),
        np.append(np.zeros(len(system)), weight),
    )
    row = np.zeros(verts_m.shape[1])
    row[near] = shares / shares.sum()
    return row
