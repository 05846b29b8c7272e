"""Axes about which the joints of a hand turn, and how far.

The axes follow from the skeleton of the straight hand. The limits are ours, close to what textbooks of
anatomy give for a healthy hand.
"""

import numpy as np
from jaxtyping import Float64

from shared.hand_model.model import FINGER_CHAINS
from tools.open_hand.skinning import unit

_TO_PALM = np.array([0.0, -1.0, 0.0])
_TO_LITTLE_FINGER = np.array([0.0, 0.0, -1.0])

_SPREAD_DEG = {"index": 15.0, "middle": 9.0, "ring": 12.0, "little": 18.0}
"""How far each finger may leave its direction in the flat hand, to either side."""


def joint_axes(
    joints_m: Float64[np.ndarray, "16 3"], tips_m: dict[str, Float64[np.ndarray, "3"]]
) -> Float64[np.ndarray, "16 3 3"]:
    """Return for every joint the axes of flexion, abduction, and twist; for the wrist the frame's own.

    Positive flexion closes the hand; at the thumb's base it moves the thumb across the palm. Positive
    abduction turns a finger towards the thumb, and the thumb away from the palm. Twist is about the bone.
    """
    axes = np.tile(np.eye(3), (16, 1, 1))
    for finger, chain in FINGER_CHAINS.items():
        bones = unit(np.diff(np.vstack([joints_m[list(chain)], tips_m[finger]]), axis=0))
        if finger == "thumb":
            bend = unit(np.cross(bones[0], bones[1]) + np.cross(bones[1], bones[2]))
            flexion = unit(bend - bones * (bones @ bend)[:, None])
            flexion[0] = unit(np.cross(bones[0], _TO_LITTLE_FINGER))
        else:
            flexion = unit(np.cross(bones, _TO_PALM))
        axes[list(chain)] = np.stack([flexion, np.cross(bones, flexion), bones], axis=1)
    return axes


def joint_limits_deg() -> Float64[np.ndarray, "16 3 2"]:
    """Return least and greatest flexion, abduction, and twist of every joint; the wrist does not turn."""
    limits = np.zeros((16, 3, 2))
    for finger, (base, middle, end) in FINGER_CHAINS.items():
        if finger == "thumb":
            limits[base] = [[-20, 50], [-40, 20], [-20, 40]]
            limits[middle] = [[-15, 60], [-8, 8], [0, 0]]
            limits[end] = [[-20, 85], [0, 0], [0, 0]]
        else:
            spread = _SPREAD_DEG[finger]
            limits[base] = [[-25, 90], [-spread, spread], [-5, 5]]
            limits[middle] = [[-5, 110], [0, 0], [0, 0]]
            limits[end] = [[-8, 80], [0, 0], [0, 0]]
    return limits
