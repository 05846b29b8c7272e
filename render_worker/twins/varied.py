"""A predicted hand as it is drawn: itself, or varied, with labels that stay exact."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32
from scipy.spatial.transform import Rotation

from render_worker.picture.mesh import Rig
from render_worker.twins.articulate import articulate
from shared.seeds import rng_of
from shared.twins.variation import NOT_TURNED, Turn, Variation, turned_about_middle
from shared.vectors import unit


class VariedHand(NamedTuple):
    """A hand to draw.

    Attributes:
        verts_m: Vertices, camera axes.
        joints_m: Joints, in the same frame.
        turn: What was done to the prediction, about the middle of its joints.
    """

    verts_m: Float32[np.ndarray, "verts 3"]
    joints_m: Float32[np.ndarray, "21 3"]
    turn: Turn = NOT_TURNED


def vary(
    verts_m: Float32[np.ndarray, "verts 3"],
    joints_m: Float32[np.ndarray, "21 3"],
    variation: Variation,
    *,
    seed: int,
    rig: Rig | None = None,
) -> VariedHand:
    """Return the hand that a round draws from a prediction; without a variation, the prediction itself.

    Args:
        verts_m: Predicted vertices, camera axes.
        joints_m: Predicted joints, in the same frame.
        variation: Of the round.
        seed: Of the picture.
        rig: How the mesh follows its bones; only other poses need it.
    """
    if variation.pose_spread_deg > 0:
        assert rig is not None, "hands have bones"
        verts_m, joints_m = articulate(
            verts_m, joints_m, rig, rng_of(seed, "pose"), spread_deg=variation.pose_spread_deg
        )
    if variation.view_spread_deg == 0:
        return VariedHand(verts_m, joints_m)
    turn = _random_turn(variation.view_spread_deg, rng_of(seed, "view"))
    matrix = np.array(turn)
    return VariedHand(
        turned_about_middle(verts_m, joints_m, matrix).astype(np.float32),
        turned_about_middle(joints_m, joints_m, matrix).astype(np.float32),
        turn,
    )


def _random_turn(spread_deg: float, rng: np.random.Generator) -> Turn:
    """Return a turn about any axis, by any angle up to the spread."""
    axis = unit(rng.normal(size=3))
    angle_rad = math.radians(rng.uniform(0, spread_deg))
    first, second, third = Rotation.from_rotvec(angle_rad * axis).as_matrix().tolist()
    return (tuple(first), tuple(second), tuple(third))
