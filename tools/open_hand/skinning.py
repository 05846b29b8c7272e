"""Linear blend skinning and small rotations for hands that are not models yet."""

import numpy as np
import torch
from jaxtyping import Float64
from scipy.spatial.transform import Rotation
from smplx.lbs import batch_rigid_transform

PARENTS = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14)
"""MANO's kinematic tree."""


def unit(vectors: Float64[np.ndarray, "*batch 3"]) -> Float64[np.ndarray, "*batch 3"]:
    """Scale to length 1."""
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def shortest_turn(
    start: Float64[np.ndarray, "batch 3"], end: Float64[np.ndarray, "batch 3"]
) -> Float64[np.ndarray, "batch 3 3"]:
    """Return the smallest rotations that take one unit vector to another."""
    axis = np.cross(start, end)
    angle = np.arctan2(np.linalg.norm(axis, axis=-1), (start * end).sum(-1))
    return Rotation.from_rotvec(unit(axis) * angle[:, None]).as_matrix()


def skin(
    verts_m: Float64[np.ndarray, "batch verts 3"],
    joints_m: Float64[np.ndarray, "batch 16 3"],
    weights: Float64[np.ndarray, "verts 16"],
    rotations: Float64[np.ndarray, "batch 16 3 3"],
) -> tuple[Float64[np.ndarray, "batch verts 3"], Float64[np.ndarray, "batch 16 3"]]:
    """Turn every joint relative to its parent; return vertices and joints."""
    posed_joints, transforms = batch_rigid_transform(
        torch.from_numpy(rotations), torch.from_numpy(joints_m), torch.tensor(PARENTS), dtype=torch.float64
    )
    blended = np.einsum("vj,bjrc->bvrc", weights, transforms.numpy()[:, :, :3], optimize=True)
    posed = np.einsum("bvrc,bvc->bvr", blended[..., :3], verts_m) + blended[..., 3]
    return posed, posed_joints.numpy()
