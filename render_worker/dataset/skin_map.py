"""What is where on a hand: palm, creases, nails, knuckles. Found once, on the hand model's open hand."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Final, NamedTuple, Self

import numpy as np
from jaxtyping import Float, Float32

from shared.skeleton import FINGERS, TIPS, WRIST
from shared.vectors import unit

_REACH_M: Final = 0.009
_LINE_M: Final = 0.0011
"""How wide a crease is."""
_FINGER_RADIUS_M: Final = 0.016
_RING_AT: Final = 0.62
"""Where on the first bone of a finger a ring is worn."""
_RING_M: Final = 0.0022
_NAIL_M: Final = (0.0065, 0.0048)
_THUMBNAIL_M: Final = (0.008, 0.0065)
"""Half the length and half the width of a nail."""
_PALM_LINES: Final = (
    ((-0.15, 0.20), (0.35, 0.24), (0.72, 0.02)),
    ((1.05, 0.20), (0.5, 0.40), (0.0, 0.52)),
    ((1.05, 0.20), (0.78, 0.42), (0.66, 0.95)),
)
"""Heart, head, and life line: across from little to index knuckle, and down from there to the wrist."""


class SkinMap(NamedTuple):
    """How much of each is at every vertex, from 0 to 1.

    Attributes:
        place_m: Where the vertex is on the open hand: for patterns that stick to the skin.
        palm: Looks the way of the palm; -1 is the back of the hand.
        crease: Lines of the palm, and where fingers bend.
        nail: Nails.
        flush: Fingertips.
        knuckle: Knuckles.
        ring: Where a ring would be, for each finger.
        up_arm_m: How far up the arm, from the wrist.
    """

    place_m: Float32[np.ndarray, "verts 3"]
    palm: Float[np.ndarray, " verts"]
    crease: Float[np.ndarray, " verts"]
    nail: Float[np.ndarray, " verts"]
    flush: Float[np.ndarray, " verts"]
    knuckle: Float[np.ndarray, " verts"]
    ring: Float[np.ndarray, "verts 5"]
    up_arm_m: Float[np.ndarray, " verts"]

    @classmethod
    def of(
        cls,
        verts_m: Float32[np.ndarray, "verts 3"],
        normals: Float32[np.ndarray, "verts 3"],
        joints_m: Float32[np.ndarray, "21 3"],
    ) -> Self:
        """Look at an open right hand, in any position and view."""
        out_of_palm = palm_direction(joints_m)
        palm = normals @ out_of_palm
        rings = []
        crease, nail = _palm_lines(verts_m, joints_m) * np.clip(2 * palm, 0, 1), np.zeros(len(verts_m))
        for name, chain in FINGERS.items():
            bones_m = joints_m[list(chain)]
            mine = _owned(verts_m, chain, joints_m)
            back = _back_of_finger(name, bones_m, joints_m, out_of_palm)
            facing = normals @ back
            for place_m, along, strength in _bends(bones_m):
                line = np.exp(-((((verts_m - place_m) @ along) / _LINE_M) ** 2))
                near = np.linalg.norm(verts_m - place_m, axis=1) < _FINGER_RADIUS_M
                crease = np.maximum(crease, mine * near * line * strength * np.where(facing < 0.1, 1.0, 0.45))
            nail = np.maximum(nail, mine * _nail(name, verts_m, facing, bones_m, back, mine))
            base_m, step_m = bones_m[0], bones_m[1] - bones_m[0]
            beyond_m = np.abs((verts_m - base_m - _RING_AT * step_m) @ unit(step_m))
            near = np.linalg.norm(verts_m - base_m - _RING_AT * step_m, axis=1) < _FINGER_RADIUS_M
            rings.append(mine * near * np.clip((_RING_M - beyond_m) / 0.0006, 0, 1))
        knuckles = [joint for chain in FINGERS.values() for joint in chain[:-1]]
        return cls(
            verts_m,
            palm,
            crease * (1 - nail),
            nail,
            _near(verts_m, joints_m[list(TIPS)]),
            _near(verts_m, joints_m[knuckles]) * np.clip(-palm, 0, 1),
            np.stack(rings, axis=1),
            (verts_m - joints_m[WRIST]) @ unit(joints_m[WRIST] - joints_m[FINGERS["middle"][0]]),
        )


def palm_direction(joints_m: Float32[np.ndarray, "21 3"]) -> Float32[np.ndarray, " 3"]:
    """Return the unit vector out of the palm of a right hand."""
    index, little = joints_m[FINGERS["index"][0]], joints_m[FINGERS["little"][0]]
    return unit(np.cross(index - joints_m[WRIST], little - joints_m[WRIST]))


def _palm_lines(
    verts_m: Float32[np.ndarray, "verts 3"], joints_m: Float32[np.ndarray, "21 3"]
) -> Float[np.ndarray, " verts"]:
    index_m, little_m = joints_m[FINGERS["index"][0]], joints_m[FINGERS["little"][0]]
    across_m, down_m = index_m - little_m, joints_m[WRIST] - (index_m + little_m) / 2
    lines = np.zeros(len(verts_m))
    for corners in _PALM_LINES:
        places_m = [little_m + u * across_m + v * down_m for u, v in corners]
        for start_m, end_m in pairwise(places_m):
            step_m = end_m - start_m
            # Seen along the palm's direction: the lines lie on the skin, the knuckles inside the hand.
            flat = _flattened(verts_m - start_m, palm_direction(joints_m))
            share = np.clip(flat @ step_m / (step_m @ step_m), 0, 1)
            aside_m = np.linalg.norm(
                flat - share[:, None] * _flattened(step_m[None], palm_direction(joints_m)), axis=1
            )
            lines = np.maximum(lines, 0.8 * np.exp(-((aside_m / _LINE_M) ** 2)))
    return lines


def _flattened(
    vectors: Float[np.ndarray, "many 3"], direction: Float[np.ndarray, " 3"]
) -> Float[np.ndarray, "many 3"]:
    return vectors - np.outer(vectors @ direction, direction)


def _owned(
    verts_m: Float32[np.ndarray, "verts 3"], chain: tuple[int, ...], joints_m: Float32[np.ndarray, "21 3"]
) -> Float[np.ndarray, " verts"]:
    """Return one for the vertices that are nearer to this finger's bones than to another finger's."""
    distances = {
        finger: np.min([_to_segment(verts_m, a, b) for a, b in pairwise(joints_m[list(finger)])], axis=0)
        for finger in FINGERS.values()
    }
    nearest = np.min(list(distances.values()), axis=0)
    owned: Float[np.ndarray, " verts"] = (distances[chain] <= nearest).astype(float)  # type: ignore[index]
    return owned


def _to_segment(
    verts_m: Float32[np.ndarray, "verts 3"], start_m: np.ndarray, end_m: np.ndarray
) -> Float[np.ndarray, " verts"]:
    step_m = end_m - start_m
    share = np.clip((verts_m - start_m) @ step_m / max(float(step_m @ step_m), 1e-12), 0, 1)
    distance: Float[np.ndarray, " verts"] = np.linalg.norm(
        verts_m - start_m - share[:, None] * step_m, axis=1
    )
    return distance


def _bends(
    bones_m: Float32[np.ndarray, "4 3"],
) -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
    """Yield place, direction of the finger, and strength of each crease: two per joint, one at the root."""
    base_m, middle_m, end_m, tip_m = bones_m
    yield base_m + 0.45 * (middle_m - base_m), unit(middle_m - base_m), 1.0
    for joint_m, along in ((middle_m, end_m - base_m), (end_m, tip_m - middle_m)):
        for offset_m in (-0.0016, 0.0016):
            yield joint_m + offset_m * unit(along), unit(along), 0.9


def _back_of_finger(
    name: str,
    bones_m: Float32[np.ndarray, "4 3"],
    joints_m: Float32[np.ndarray, "21 3"],
    out_of_palm: Float32[np.ndarray, " 3"],
) -> Float[np.ndarray, " 3"]:
    """Return where a nail looks; that of the thumb looks aside."""
    along = unit(bones_m[3] - bones_m[2])
    back = -out_of_palm
    if name == "thumb":
        index, little = joints_m[FINGERS["index"][0]], joints_m[FINGERS["little"][0]]
        back = back + 1.2 * unit(index - little)
    return unit(back - along * (back @ along))


def _nail(
    name: str,
    verts_m: Float32[np.ndarray, "verts 3"],
    facing: Float[np.ndarray, " verts"],
    bones_m: Float32[np.ndarray, "4 3"],
    back: Float[np.ndarray, " 3"],
    mine: Float[np.ndarray, " verts"],
) -> Float[np.ndarray, " verts"]:
    length_m, width_m = _THUMBNAIL_M if name == "thumb" else _NAIL_M
    along = unit(bones_m[3] - bones_m[2])
    aside = np.cross(along, back)
    end_m = float((verts_m[mine > 0] @ along).max())
    middle_m = end_m - 0.0015 - length_m
    out = ((verts_m @ along - middle_m) / length_m) ** 4 + (((verts_m - bones_m[3]) @ aside) / width_m) ** 4
    nail: Float[np.ndarray, " verts"] = np.clip(2.5 * (1 - out), 0, 1) * np.clip(4 * facing - 0.8, 0, 1)
    return nail


def _near(
    verts_m: Float32[np.ndarray, "verts 3"], places_m: Float32[np.ndarray, "places 3"]
) -> Float32[np.ndarray, " verts"]:
    """Return one at the places, falling to zero around them."""
    squared = ((verts_m[:, None] - places_m) ** 2).sum(axis=-1).min(axis=1)
    near: Float32[np.ndarray, " verts"] = np.exp(-squared / _REACH_M**2)
    return near
