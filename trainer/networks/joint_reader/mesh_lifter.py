"""From 21 points of a hand, seen and in depth, to its mesh; and the camera that lays the mesh on them.

Place, size and view are taken out of the points before a small network sees them, and put back into the mesh
afterwards, so that it only has to know hands. It needs no pictures to learn that: any number of posed hands
with noisy points teaches it (`trainer.hands.noisy_points`).
"""

from typing import Final, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from shared.hand_model import HandModel
from shared.skeleton import BONES, FINGERS, WRIST
from trainer.networks.regressor import bone_basis

KNUCKLES: Final = tuple(FINGERS[name][0] for name in ("index", "middle", "ring", "little"))

_NEAR_ZERO: Final = 1e-6
_POINT_UNIT_M: Final = 0.1
_SPREAD_UNIT_NDC: Final = 0.2
_LEAST_SCALE: Final = 0.5
"""Of a camera, ndc per metre: a hand would be a twentieth of the crop."""


class LiftedHand(NamedTuple):
    """A hand whose wrist joint is the origin, in the axes of the points that it was lifted from."""

    verts_m: Float[Tensor, "batch verts 3"]
    joints_m: Float[Tensor, "batch joints 3"]


class MeshLifter(nn.Module):
    """A mesh by bones that move affinely, as in `HandRegressor`, in the frame of the palm.

    Turning or magnifying all points turns the mesh, and does not magnify it: a picture does not tell size.
    Before training it returns the mean hand, turned as the palm is.

    Args:
        hand_model: Gives the mean hand, how it moves, and the joints that belong to a mesh.
        width: Of the hidden layers.
        num_blocks: Residual blocks of two layers.
    """

    mean_verts_m: Float[Tensor, "verts 3"]
    mean_joints_m: Float[Tensor, "joints 3"]
    mean_axes: Float[Tensor, "3 3"]
    mean_bone_m: Float[Tensor, ""]
    bone_basis_m: Float[Tensor, "verts modes"]
    shape_basis_m: Float[Tensor, "shapes coordinates"]
    joint_regressor: Float[Tensor, "joints verts"]

    def __init__(self, hand_model: HandModel, *, width: int = 512, num_blocks: int = 2) -> None:
        super().__init__()
        regressor = torch.tensor(hand_model.joint_regressor)
        template_m = torch.tensor(hand_model.template_m)
        verts_m = template_m - regressor[WRIST] @ template_m
        joints_m = regressor @ verts_m
        shape_basis = hand_model.shape_dirs.reshape(-1, hand_model.num_shapes).T.copy()
        constants = {
            "mean_verts_m": verts_m,
            "mean_joints_m": joints_m,
            "mean_axes": palm_axes(joints_m[None])[0],
            "mean_bone_m": mean_bone(joints_m[None])[0],
            "bone_basis_m": torch.tensor(bone_basis(hand_model)),
            "shape_basis_m": torch.tensor(shape_basis),
            "joint_regressor": regressor,
        }
        for name, constant in constants.items():
            self.register_buffer(name, constant, persistent=False)
        self.outputs = (3 * self.bone_basis_m.shape[1], hand_model.num_shapes)
        self.enter = nn.Linear(4 * len(regressor), width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
            for _ in range(num_blocks)
        )
        self.leave = nn.Linear(width, sum(self.outputs))
        nn.init.normal_(self.leave.weight, std=1e-3)
        nn.init.zeros_(self.leave.bias)

    def forward(
        self, points: Float[Tensor, "batch joints 3"], spreads_ndc: Float[Tensor, "batch joints"]
    ) -> LiftedHand:
        """Return the hand that such points belong to.

        Args:
            points: Joints in camera axes, in any unit and anywhere.
            spreads_ndc: How unsure each of them is.
        """
        points = points - points[:, WRIST, None]
        turn = palm_axes(points) @ self.mean_axes.T
        magnified = self.mean_bone_m / (mean_bone(points) + _NEAR_ZERO)
        upright_m = (points @ turn) * magnified[:, None, None]
        seen = ((upright_m - self.mean_joints_m) / _POINT_UNIT_M).flatten(1)
        hidden = self.enter(torch.cat((seen, spreads_ndc / _SPREAD_UNIT_NDC), dim=1))
        for block in self.blocks:
            hidden = hidden + block(hidden)
        bones, shapes = self.leave(functional.relu(hidden)).split(self.outputs, dim=1)
        verts_m = (
            self.mean_verts_m
            + self.bone_basis_m @ bones.unflatten(1, (-1, 3))
            + (shapes @ self.shape_basis_m).unflatten(1, (-1, 3))
        ) @ turn.transpose(1, 2)
        joints_m = self.joint_regressor @ verts_m
        wrist_m = joints_m[:, WRIST, None]
        return LiftedHand(verts_m - wrist_m, joints_m - wrist_m)


def palm_axes(points: Float[Tensor, "batch joints 3"]) -> Float[Tensor, "batch 3 3"]:
    """Return unit vectors, as columns, that turn with the points.

    They point along the palm to the knuckles, across it to the index finger, and along their cross product.
    """
    index, middle, ring, little = (points[:, knuckle] for knuckle in KNUCKLES)
    along = _unit((index + middle + ring + little) / 4 - points[:, WRIST])
    normal = _unit(torch.linalg.cross(along, 0.6 * (index - little) + 0.4 * (middle - ring)))
    return torch.stack((along, torch.linalg.cross(normal, along), normal), dim=2)


def mean_bone(points: Float[Tensor, "batch joints 3"]) -> Float[Tensor, " batch"]:
    """Return the mean length of the bones, which hardly depends on the pose."""
    starts, ends = zip(*BONES, strict=True)
    bones = points[:, list(ends)] - points[:, list(starts)]
    lengths: Float[Tensor, "batch bones"] = torch.linalg.vector_norm(bones, dim=2)
    return lengths.mean(dim=1)


def fit_camera(
    joints_m: Float[Tensor, "batch joints 3"],
    places_ndc: Float[Tensor, "batch joints 2"],
    *,
    weights: Float[Tensor, "batch joints"],
) -> Float[Tensor, "batch 3"]:
    """Return scale, tx_m, ty_m of the weak-perspective camera that projects joints to places best.

    Best means least weighted squares: `scale * (xy + shift)` against the places. The scale stays positive.
    """
    share = (weights / weights.sum(dim=1, keepdim=True))[..., None]
    flat_m = joints_m[..., :2]
    centre_m = (share * flat_m).sum(dim=1, keepdim=True)
    centre_ndc = (share * places_ndc).sum(dim=1, keepdim=True)
    from_centre_m = flat_m - centre_m
    together = (share * from_centre_m * (places_ndc - centre_ndc)).sum(dim=(1, 2))
    alone = (share * from_centre_m.square()).sum(dim=(1, 2))
    scale = (together / (alone + _NEAR_ZERO**2)).clamp_min(_LEAST_SCALE)[:, None]
    return torch.cat((scale, centre_ndc[:, 0] / scale - centre_m[:, 0]), dim=1)


def _unit(vectors: Float[Tensor, "batch 3"]) -> Float[Tensor, "batch 3"]:
    lengths: Float[Tensor, "batch 1"] = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    return vectors / (lengths + _NEAR_ZERO)
