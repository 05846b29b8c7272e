"""MANO's left hand, as the right hand that a mirror shows."""

from collections.abc import Mapping
from typing import Final

import numpy as np

MIRROR: Final = np.array([-1, 1, 1], np.float32)
"""Points: a mirror turns x around."""

TURN_MIRROR: Final = np.array([1, -1, -1], np.float32)
"""Axis-angle: in a mirror, rotations about y and z go the other way."""


def mirrored_fields(fields: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the fields of a hand model in a mirror.

    A pose with `TURN_MIRROR`, and the same shape, then give the mirrored mesh. Nothing is mended:
    ``MANO_LEFT.pkl`` has the first row of its shapes with the sign of the right hand, and keeps it.
    """
    turns = np.tile(TURN_MIRROR, 15)
    entries = np.tile(np.outer(MIRROR, MIRROR).ravel(), 15)  # of the 15 rotation matrices
    changed = {
        "v_template": fields["v_template"] * MIRROR,
        "f": fields["f"][:, ::-1],
        "shapedirs": fields["shapedirs"] * MIRROR[:, None],
        "posedirs": fields["posedirs"] * MIRROR[:, None] * entries,
        "hands_mean": fields["hands_mean"] * turns,
        "hands_components": fields["hands_components"] * turns,
    }
    if "joint_axes" in fields:
        changed["joint_axes"] = fields["joint_axes"] * TURN_MIRROR
    return {**fields, **changed}
