"""A predicted hand in another pose nearby: its own mesh with its fingers bent, by linear blend skinning.

A prediction is a mesh, not a pose. Fitting a hand model to it would draw a hand that was not predicted.
Bending the mesh about its own joints with the hand model's weights keeps the predicted shape, and the result
is its own label.
"""

import math
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float, Float32
from scipy.spatial.transform import Rotation

from render_worker.picture.mesh import Rig
from shared.hand_model.model import FINGER_CHAINS
from shared.skeleton import FINGERS, WRIST
from shared.vectors import unit

_FLEXION_DEG: Final = ((-20.0, 90.0), (0.0, 105.0), (-5.0, 80.0))
"""Range of a finger's joints, from base to end."""
_THUMB_DEG: Final = ((-15.0, 60.0), (-10.0, 80.0))
"""Range of the thumb's two outer joints."""
_ASIDE_SHARE: Final = 0.25
"""Spread of sideways turns at a knuckle, and of all turns at the thumb's root, in spreads of a flexion."""
_ASIDE_DEG: Final = 10.0
_STRAIGHT: Final = 0.17
"""Sine of an angle below which two bones of a thumb do not tell in which plane it bends."""


class PosedHand(NamedTuple):
    """A bent hand: vertices and joints."""

    verts_m: Float32[np.ndarray, "verts 3"]
    joints_m: Float32[np.ndarray, "21 3"]


def articulate(
    verts_m: Float32[np.ndarray, "verts 3"],
    joints_m: Float32[np.ndarray, "21 3"],
    rig: Rig,
    rng: np.random.Generator,
    *,
    spread_deg: float,
) -> PosedHand:
    """Return a hand whose fingers are bent by random angles, within what joints can do.

    A joint that is bent beyond its range already is not bent further. The wrist, and with it the view, stays.

    Args:
        verts_m: Predicted vertices.
        joints_m: Predicted joints, in the same frame.
        rig: Which bones move which vertices.
        rng: Decides the angles.
        spread_deg: Standard deviation of every flexion.
    """
    joints = joints_m.astype(np.float64)
    out = unit(
        np.cross(joints[FINGERS["index"][0]] - joints[WRIST], joints[FINGERS["little"][0]] - joints[WRIST])
    )
    forward = unit(joints[FINGERS["middle"][0]] - joints[WRIST])
    moves = np.tile(np.eye(4), (rig.skin_weights.shape[1], 1, 1))
    for finger, chain in FINGERS.items():
        points_m = joints[[WRIST, *chain]]
        if finger == "thumb":
            turns = _thumb_turns(points_m, rng, spread_deg)
        else:
            turns = _finger_turns(points_m, np.cross(forward, out), out, rng, spread_deg)
        move = np.eye(4)
        for bone, pivot_m, turn in zip(FINGER_CHAINS[finger], points_m[1:], turns, strict=False):
            move = move @ _about(pivot_m, turn)
            moves[bone] = move
    blended = np.einsum("vb,bij->vij", rig.skin_weights, moves)
    bent_m = np.einsum("vij,vj->vi", blended[:, :3, :3], verts_m) + blended[:, :3, 3]
    moved_m = joints_m + rig.joint_regressor @ (bent_m - verts_m)
    return PosedHand(bent_m.astype(np.float32), moved_m.astype(np.float32))


def _finger_turns(
    points_m: Float[np.ndarray, "5 3"],
    side: Float[np.ndarray, " 3"],
    out: Float[np.ndarray, " 3"],
    rng: np.random.Generator,
    spread_deg: float,
) -> list[Float[np.ndarray, " 3"]]:
    """Return rotation vectors at the joints of a finger; positive flexion leads towards the palm."""
    bones = unit(np.diff(points_m, axis=0))
    turns = []
    for before, bone, limits_deg in zip(bones, bones[1:], _FLEXION_DEG, strict=False):
        axis = unit(side - bone * (bone @ side))
        angle_rad = _allowed(_angle(before, bone, axis), limits_deg, rng.normal(0, spread_deg))
        turns.append(angle_rad * axis)
    aside_deg = np.clip(rng.normal(0, _ASIDE_SHARE * spread_deg), -_ASIDE_DEG, _ASIDE_DEG)
    turns[0] = turns[0] + math.radians(aside_deg) * out
    return turns


def _thumb_turns(
    points_m: Float[np.ndarray, "5 3"], rng: np.random.Generator, spread_deg: float
) -> list[Float[np.ndarray, " 3"]]:
    """Return rotation vectors at the joints of a thumb: its root is a saddle, the others bend in a plane."""
    bones = unit(np.diff(points_m, axis=0))
    root_deg = np.clip(rng.normal(0, _ASIDE_SHARE * spread_deg, 3), -_ASIDE_DEG, _ASIDE_DEG)
    turns = [np.radians(root_deg)]
    for before, bone, limits_deg in zip(bones[1:], bones[2:], _THUMB_DEG, strict=False):
        wanted_deg = rng.normal(0, spread_deg)
        normal = np.cross(before, bone)
        if np.linalg.norm(normal) < _STRAIGHT:
            turns.append(np.zeros(3))
            continue
        axis = unit(normal)
        turns.append(_allowed(_angle(before, bone, axis), limits_deg, wanted_deg) * axis)
    return turns


def _angle(
    before: Float[np.ndarray, " 3"], bone: Float[np.ndarray, " 3"], axis: Float[np.ndarray, " 3"]
) -> float:
    """Return the angle by which a bone is turned from the one before it about an axis, in degrees."""
    return math.degrees(math.atan2(axis @ np.cross(before, bone), before @ bone))


def _allowed(angle_deg: float, limits_deg: tuple[float, float], wanted_deg: float) -> float:
    """Return how far a joint turns of what is wanted, in radians."""
    least, most = min(limits_deg[0], angle_deg), max(limits_deg[1], angle_deg)
    return math.radians(float(np.clip(angle_deg + wanted_deg, least, most)) - angle_deg)


def _about(pivot_m: Float[np.ndarray, " 3"], turn: Float[np.ndarray, " 3"]) -> Float[np.ndarray, "4 4"]:
    move = np.eye(4)
    move[:3, :3] = Rotation.from_rotvec(turn).as_matrix()
    move[:3, 3] = pivot_m - move[:3, :3] @ pivot_m
    return move
