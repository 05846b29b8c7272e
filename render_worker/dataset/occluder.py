"""Something between camera and hand: a stick, a ball, or a box that hides a part of it."""

from typing import Final

import numpy as np
from jaxtyping import Float32
from scipy.spatial.transform import Rotation

from render_worker.dataset.things import Thing, unit_thing

_GAP_M: Final = 0.01


def choose_occluder(
    verts_m: Float32[np.ndarray, "verts 3"], joints_m: Float32[np.ndarray, "21 3"], rng: np.random.Generator
) -> Thing:
    """Return an object in front of one joint of a hand, as large as a pen, a cup, or a book's corner.

    It comes from beyond the joint, seen from the middle of the hand, so that most of the hand stays visible.
    """
    ball = unit_thing("ball").verts
    squareness = rng.uniform(0.25, 1.0)  # of a superquadric: 1 is a ball, 0 a box
    unit = np.sign(ball) * np.abs(ball) ** squareness
    half_m = np.array([rng.uniform(0.006, 0.03), rng.uniform(0.006, 0.03), rng.uniform(0.02, 0.12)])
    shaped_m = Rotation.random(rng=rng).apply(unit * half_m)
    target_m = joints_m[rng.integers(len(joints_m))]
    outwards = (target_m - verts_m.mean(axis=0))[:2]
    outwards = outwards / max(float(np.linalg.norm(outwards)), 1e-6)
    reach_m = float((shaped_m[:, :2] @ outwards).max())
    centre_m = np.array([*(target_m[:2] + outwards * reach_m * rng.uniform(0.3, 0.9)), 0.0])
    centre_m[2] = verts_m[:, 2].min() - _GAP_M - shaped_m[:, 2].max()
    # A pinhole sees nearer things farther out; towards the axis by the ratio of depths, it covers the joint.
    centre_m[:2] *= centre_m[2] / target_m[2]
    return Thing("ball", (shaped_m + centre_m).astype(np.float32))
