"""An arm for made-up photographs: a tube that leaves the hand at its wrist, bare or in a sleeve.

An arm that points away from the camera would end in the picture; so it has an elbow, and leaves sideways.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from jaxtyping import Float, Float32, Int32

from shared.vectors import unit

_LENGTH_M: Final = 0.75
_RINGS: Final = 24
_ELBOW_M: Final = (0.19, 0.30)
"""Where the elbow begins and ends."""
_DOWN: Final = np.array([0.0, 0.4, 0.0])
"""Besides sideways, upper arms lead downwards."""
_LEAST_STEP_M: Final = 0.001
"""Width of the first strip: so thin that its colour, half hand and half arm, is never seen."""
_STRAIGHT_M: Final = 0.05
"""Over this length the arm takes on its own direction and its own cross-section."""
_THICKEST_M: Final = 0.24
_GROWTH: Final = 0.5
_FLATNESS: Final = 1.12
"""Width over height of an arm far from the wrist."""
_FOLD_M: Final = 0.0015


@dataclass(frozen=True, slots=True)
class ArmShape:
    """What differs from arm to arm.

    Attributes:
        bend_rad: How far the arm turns away from the hand's own axis: about the axis across the palm, and
            about the axis through it.
        sleeve_m: Distance from the wrist at which a sleeve begins; None for a bare arm.
        cloth_m: How far the sleeve stands off the skin.
    """

    bend_rad: tuple[float, float] = (0.0, 0.0)
    sleeve_m: float | None = None
    cloth_m: float = 0.006


def choose_arm(rng: np.random.Generator) -> ArmShape:
    """Return the arm of a person who is not seen."""
    flexion, deviation = np.clip(rng.normal(0, (0.18, 0.1)), -0.3, 0.3)
    sleeve_m = float(rng.uniform(0.005, 0.16)) if rng.uniform() < 0.5 else None
    return ArmShape((float(flexion), float(deviation)), sleeve_m, float(rng.uniform(0.003, 0.009)))


def arm_faces(rim: Int32[np.ndarray, " rim"], *, first: int) -> Int32[np.ndarray, "faces 3"]:
    """Return the triangles of every arm: from the rim over the rings to a lid, outward.

    Args:
        rim: Vertices of the hand around its opening.
        first: Number of the arm's first vertex.
    """
    count = len(rim)
    rings = [rim, *(first + np.arange(count) + count * ring for ring in range(_RINGS))]
    faces = []
    for near, far in pairwise(rings):
        following, beyond = np.roll(near, -1), np.roll(far, -1)
        faces += [np.stack([following, near, far], axis=1), np.stack([following, far, beyond], axis=1)]
    lid = np.full(count, first + count * _RINGS)
    faces.append(np.stack([np.roll(rings[-1], -1), rings[-1], lid], axis=1))
    return np.concatenate(faces).astype(np.int32)


def arm_verts(
    rim_m: Float32[np.ndarray, "rim 3"], across: Float[np.ndarray, " 3"], shape: ArmShape
) -> Float32[np.ndarray, "verts 3"]:
    """Return the vertices of the rings, one after the other, and of the lid.

    Args:
        rim_m: Vertices around the opening, in the order of the rim.
        across: From the little finger's side of the palm to the index finger's.
        shape: Bend and sleeve.
    """
    centre_m = rim_m.mean(axis=0)
    spokes_m = rim_m - centre_m
    axis = unit(_cross(np.roll(spokes_m, -1, axis=0).T, spokes_m.T).sum(axis=1))  # out of the hand
    side = unit(across - axis * (across @ axis))
    up = _cross(axis, side)
    across_m, upwards_m, beyond_m = spokes_m @ side, spokes_m @ up, spokes_m @ axis  # rims are not flat
    angles, radii_m = np.arctan2(upwards_m, across_m), np.hypot(across_m, upwards_m)
    flexion, deviation = shape.bend_rad
    away = unit(axis + np.tan(flexion) * up + np.tan(deviation) * side)
    aside = unit(away * (1, 1, 0) + _DOWN)
    round_m = radii_m.mean() * np.hypot(np.cos(angles) * _FLATNESS, np.sin(angles) / _FLATNESS)
    along, around = np.cos(angles)[:, None], np.sin(angles)[:, None]
    rings_m, middle_m, before_m = [], centre_m, 0.0
    for distance_m, is_sleeve in _distances(shape):
        share = _smooth(distance_m / _STRAIGHT_M)
        elbow = _smooth((distance_m - _ELBOW_M[0]) / (_ELBOW_M[1] - _ELBOW_M[0]))
        direction = unit((1 - share) * axis + share * ((1 - elbow) * away + elbow * aside))
        middle_m = middle_m + (distance_m - before_m) * direction
        before_m = distance_m
        growth = 1 + _GROWTH * _smooth(distance_m / _THICKEST_M)
        ring_m = growth * ((1 - share) * radii_m + share * round_m)
        if is_sleeve:
            folds_m = _FOLD_M * np.sin(3 * angles + 160 * distance_m) * _smooth(distance_m / _STRAIGHT_M)
            ring_m = ring_m + shape.cloth_m + folds_m
        turned = unit(side - direction * (side @ direction))
        spokes = along * turned + around * _cross(direction, turned)
        rings_m.append(middle_m + ring_m[:, None] * spokes + (1 - share) * beyond_m[:, None] * direction)
    return np.concatenate([*rings_m, middle_m[None]]).astype(np.float32)


def in_sleeve(num_rim: int, shape: ArmShape) -> np.ndarray:
    """Return for every vertex of the arm whether it is cloth."""
    rings = np.array([is_sleeve for _, is_sleeve in _distances(shape)])
    return np.append(np.repeat(rings, num_rim), rings[-1])


def _distances(shape: ArmShape) -> list[tuple[float, bool]]:
    """Return how far the rings are from the wrist, and which belong to the sleeve."""
    if shape.sleeve_m is None:
        return [(at, False) for at in _spaced(_LEAST_STEP_M, _LENGTH_M, _RINGS)]
    bare = _spaced(_LEAST_STEP_M, max(shape.sleeve_m, 2 * _LEAST_STEP_M), 6)
    clothed = _spaced(bare[-1], _LENGTH_M, _RINGS - len(bare))
    return [(at, False) for at in bare] + [(at, True) for at in clothed]


def _spaced(first_m: float, last_m: float, count: int) -> list[float]:
    """Return distances that lie closer together near the hand, where they are seen."""
    return [first_m + float(share) ** 1.7 * (last_m - first_m) for share in np.linspace(0, 1, count)]


def _smooth(share: float) -> float:
    """Return a share that leaves zero and reaches one without a kink."""
    clipped = min(1.0, max(0.0, share))
    return clipped * clipped * (3 - 2 * clipped)


def _cross(first: Float[np.ndarray, "3 ..."], second: Float[np.ndarray, "3 ..."]) -> np.ndarray:
    """Return the cross product along the first axis; numpy's own takes ten times as long for a vector."""
    (ax, ay, az), (bx, by, bz) = first, second
    return np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])
