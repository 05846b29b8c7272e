"""Poses the embedded hand in float64, about the joints that the labels were fitted with. Needs no PyTorch."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from scipy.spatial.transform import Rotation

from shared.hand_model import HandModel
from shared.hand_model.model import FINGER_CHAINS
from shared.skeleton import FINGERS, WRIST

_SKIN_JOINTS = 16


@dataclass(frozen=True, slots=True, eq=False)
class Skeleton:
    """The 21 joints of the unposed hand as a function of its shape, in the order of `shared.skeleton`.

    Fingertips are joints too: they lie 4.5 mm inside the end of the finger, and turn with its last joint.

    Attributes:
        joints_m: Of the mean shape, in the frame of the template.
        shape_dirs: Displacement per unit of each shape coefficient, metres.
    """

    joints_m: Float64[np.ndarray, "21 3"]
    shape_dirs: Float64[np.ndarray, "21 3 shapes"]


class Hand(NamedTuple):
    """A posed hand.

    Attributes:
        verts_m: Vertices.
        joints_m: The 21 joints, in the same frame.
    """

    verts_m: Float64[np.ndarray, "verts 3"]
    joints_m: Float64[np.ndarray, "21 3"]


def pose_hand(
    model: HandModel,
    skeleton: Skeleton,
    *,
    pose: Float64[np.ndarray, " 48"],
    shape: Float64[np.ndarray, " shapes"],
) -> Hand:
    """Return a hand turned about its wrist and joints, its wrist where the template has it.

    Args:
        model: The embedded hand, or one like it: without corrections of the pose (``pose_dirs``).
        skeleton: The joints to turn about.
        pose: Axis-angle in radians: the whole hand, then the model's joints 1 to 15.
        shape: Coefficients in standard deviations.
    """
    unposed_m = model.template_m + model.shape_dirs.astype(np.float64) @ shape
    rest_m = skeleton.joints_m + skeleton.shape_dirs @ shape
    pivots_m = np.empty((_SKIN_JOINTS, 3))
    pivots_m[0] = rest_m[WRIST]
    for finger, chain in FINGER_CHAINS.items():
        pivots_m[list(chain)] = rest_m[list(FINGERS[finger][:3])]
    turns, shifts_m = _joint_motions(model.parents, pivots_m, pose)

    weights = model.skin_weights.astype(np.float64)
    blended = (weights @ turns.reshape(_SKIN_JOINTS, 9)).reshape(-1, 3, 3)
    verts_m = np.einsum("vab,vb->va", blended, unposed_m) + weights @ shifts_m

    carrier = np.zeros(len(rest_m), dtype=int)
    for finger, chain in FINGER_CHAINS.items():
        carrier[list(FINGERS[finger])] = (*chain, chain[-1])
    joints_m = np.einsum("jab,jb->ja", turns[carrier], rest_m) + shifts_m[carrier]
    return Hand(verts_m, joints_m)


def _joint_motions(
    parents: tuple[int, ...], pivots_m: Float64[np.ndarray, "16 3"], pose: Float64[np.ndarray, " 48"]
) -> tuple[Float64[np.ndarray, "16 3 3"], Float64[np.ndarray, "16 3"]]:
    """Return the rotation R and the shift t of every joint: a point p that moves with it goes to R p + t."""
    local = Rotation.from_rotvec(pose.reshape(_SKIN_JOINTS, 3)).as_matrix()
    turns, shifts_m = np.empty((_SKIN_JOINTS, 3, 3)), np.empty((_SKIN_JOINTS, 3))
    for joint, parent in enumerate(parents):
        moved_m = pivots_m[joint]
        turns[joint] = local[joint]
        if parent >= 0:
            moved_m = turns[parent] @ pivots_m[joint] + shifts_m[parent]
            turns[joint] = turns[parent] @ local[joint]
        shifts_m[joint] = moved_m - turns[joint] @ pivots_m[joint]
    return turns, shifts_m
