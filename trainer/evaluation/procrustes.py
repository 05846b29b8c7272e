"""Procrustes alignment of point sets, batched: the "PA" of PA-MPJPE.

FreiHAND's published protocol centres both sets, divides by their Frobenius norms, and takes the best
orthogonal matrix, which may be a reflection: a mirrored hand then scores as a perfect one. `align` therefore
offers the proper alignment, rotations only, as well.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

NORM_FLOOR = 1e-8
"""What the protocol adds to a norm, so that a prediction of a single point stays finite."""
FLAT_BELOW = 1e-6
"""Smallest normalised singular value for which a reflection is more than a choice of sign."""
MEAN_ROUNDS = 5
"""A mean of aligned sets changes no more after that."""


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """Point sets moved, turned, and scaled onto their targets.

    Attributes:
        points: The aligned sets, in the units and the frame of the targets.
        prefers_mirror: Where the best orthogonal matrix is a reflection, whether or not one was allowed.
    """

    points: Float[np.ndarray, "hands points 3"]
    prefers_mirror: Bool[np.ndarray, " hands"]


def align(
    points: Float[np.ndarray, "hands points 3"],
    targets: Float[np.ndarray, "hands points 3"],
    *,
    allow_reflection: bool,
) -> Alignment:
    """Return each set in the similarity frame that brings it closest to its target (least squares).

    Args:
        points: Sets to move.
        targets: Sets with the same points in the same order.
        allow_reflection: True is the published protocol, False the one that can tell left from right.
    """
    points = points.astype(np.float64)
    targets = targets.astype(np.float64)
    target_mean = targets.mean(axis=1, keepdims=True)
    source, _ = _normalised(points)
    goal, goal_norm = _normalised(targets)
    left, singular, right = np.linalg.svd(source.swapaxes(1, 2) @ goal)
    is_reflection = np.linalg.det(left @ right) < 0
    if not allow_reflection:
        sign = np.where(is_reflection, -1.0, 1.0)
        left[:, :, 2] *= sign[:, None]
        singular[:, 2] *= sign
    scale = singular.sum(axis=1)[:, None, None] * goal_norm
    return Alignment(
        points=source @ (left @ right) * scale + target_mean,
        prefers_mirror=is_reflection & (np.abs(singular[:, 2]) > FLAT_BELOW),
    )


def aligned_mean_mm(
    points: Float[np.ndarray, "hands points 3"],
    targets: Float[np.ndarray, "hands points 3"],
    *,
    allow_reflection: bool,
) -> Float[np.ndarray, " hands"]:
    """Return the mean distance of the points of every hand from their targets, after `align`.

    Args:
        points: Sets in metres.
        targets: Sets with the same points in the same order, in metres.
        allow_reflection: As in `align`; the two rules give different numbers for nearly flat hands.
    """
    aligned = align(points, targets, allow_reflection=allow_reflection).points
    distances: Float[np.ndarray, " hands"] = 1000 * np.linalg.norm(aligned - targets, axis=2).mean(axis=1)
    return distances


def mean_hand_m(hands_m: Float[np.ndarray, "hands points 3"]) -> Float[np.ndarray, "points 3"]:
    """Return the mean of hands that were aligned with it, by rotations only; its size means nothing."""
    mean_m: Float[np.ndarray, "points 3"] = hands_m[0]
    for _ in range(MEAN_ROUNDS):
        goals_m = np.broadcast_to(mean_m, hands_m.shape)
        mean_m = align(hands_m, goals_m, allow_reflection=False).points.mean(axis=0)
    return mean_m


def _normalised(
    points: Float[np.ndarray, "hands points 3"],
) -> tuple[Float[np.ndarray, "hands points 3"], Float[np.ndarray, "hands 1 1"]]:
    centred = points - points.mean(axis=1, keepdims=True)
    norm = np.linalg.norm(centred, axis=(1, 2), keepdims=True) + NORM_FLOOR
    return centred / norm, norm
