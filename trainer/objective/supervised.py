"""The objective: supervised terms (Eq. 7-10) and self-correlation (Eq. 3-6), one number per sample.

Nothing is averaged over the batch here, because a sample without a twin must not count in the second half
of Eq. 11. FastMETRO's terms for edges and normals are in trainer/objective/mesh_losses.py.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor, nn

from trainer.objective.geometry import centred, from_wrist, project_weak_perspective
from trainer.objective.mesh_losses import edge_length_loss, face_normal_loss
from trainer.types import HandPrediction, HandTarget

type Norm = Literal["l1", "l2"]

_DISTANCES: dict[Norm, Callable[[Tensor], Tensor]] = {"l1": torch.abs, "l2": torch.square}


class TermWeights(NamedTuple):
    """How much each term counts; see `trainer.config.sections.LossConfig`."""

    joints: float = 1.0
    verts: float = 1.0
    projected: float = 1.0
    edges: float = 0.0
    normals: float = 0.0


class LossTerms(NamedTuple):
    """The terms of a comparison, unweighted, one number per hand.

    Attributes:
        joints: 3D keypoints (Eq. 3 or 7).
        verts: Mesh vertices (Eq. 4 or 8).
        projected: Keypoints in the image (Eq. 5 or 9).
        edges: Lengths of edges; zero in the self-correlation.
        normals: Directions of faces; zero in the self-correlation.
    """

    joints: Float[Tensor, " batch"]
    verts: Float[Tensor, " batch"]
    projected: Float[Tensor, " batch"]
    edges: Float[Tensor, " batch"]
    normals: Float[Tensor, " batch"]

    def weighted(self, weights: TermWeights) -> Float[Tensor, " batch"]:
        """Return the weighted sum (Eq. 6 or 10)."""
        total = torch.zeros_like(self.joints)
        for term, weight in zip(self, weights, strict=True):
            total = total + weight * term
        return total

    def mean(self) -> "LossTerms":
        """Return the mean of every term over the batch, without a graph, for the log."""
        return LossTerms(*(term.detach().mean() for term in self))


class SupervisedLoss(nn.Module):
    """Distance between a prediction and the labels (Eq. 7-10), in FastMETRO's fuller form.

    Joint tokens count beside the joints regressed from the mesh, and a coarse mesh shares the weight of the
    fine one. Both hands are compared relative to their own wrists.

    Args:
        faces: Triangles of the mesh, for edges and normals.
        norm: Elementwise distance of joints, vertices and projections.
        coarse_vert_ids: Vertices that the network's coarse mesh keeps, if it has one.
    """

    faces: Int64[Tensor, "faces 3"]
    coarse_vert_ids: Int64[Tensor, " coarse"] | None

    def __init__(
        self,
        faces: Int[Tensor, "faces 3"],
        *,
        norm: Norm = "l1",
        coarse_vert_ids: Int64[Tensor, " coarse"] | None = None,
    ) -> None:
        super().__init__()
        self.norm = norm
        self.register_buffer("faces", faces.long(), persistent=False)
        self.register_buffer("coarse_vert_ids", coarse_vert_ids, persistent=False)

    def forward(self, prediction: HandPrediction, target: HandTarget) -> LossTerms:
        """Return the terms of every hand."""
        verts_m = from_wrist(prediction.verts_m, prediction.joints_m)
        verts = self._distance(verts_m, target.verts_m)
        if prediction.coarse_verts_m is not None and self.coarse_vert_ids is not None:
            coarse_m = from_wrist(prediction.coarse_verts_m, prediction.joints_m)
            coarse = self._distance(coarse_m, target.verts_m[:, self.coarse_vert_ids])
            verts = 0.5 * verts + 0.5 * coarse
        joint_sets_m = [prediction.joints_m]
        if prediction.token_joints_m is not None:
            joint_sets_m.append(prediction.token_joints_m)
        joints = torch.zeros_like(verts)
        projected = torch.zeros_like(verts)
        for joints_m in joint_sets_m:
            joints = joints + self._distance(from_wrist(joints_m, joints_m), target.joints_m)
            joints_ndc = project_weak_perspective(joints_m, prediction.camera)
            projected = projected + self._distance(joints_ndc, target.joints_ndc)
        return LossTerms(
            joints=joints,
            verts=verts,
            projected=projected,
            edges=edge_length_loss(verts_m, target.verts_m, self.faces),
            normals=face_normal_loss(verts_m, target.verts_m, self.faces),
        )

    def _distance(self, found: Tensor, wanted: Tensor) -> Float[Tensor, " batch"]:
        return _per_hand(found, wanted, self.norm)


class SelfCorrelationLoss(nn.Module):
    """Distance between a prediction and that of its recycled twin (Eq. 3-6).

    Both hands are first put in a common place: keypoints lose their mean, vertices move so that the predicted
    wrist is the origin. Without this the two passes start so far apart that training diverges (Sec. 4.2).

    With absolute distances the weight matters more than it seems. Where a prediction lies between its label
    and the other prediction, the slope towards the label is alpha (or beta) and the one away from it gamma:
    with equal weights they cancel, and it stays where it is. A small gamma leaves no such place. A first pass
    that is a fixed target is never held back; it is the more accurate of the two.

    Args:
        norm: Elementwise distance; use the one of the baseline's own recipe.
        detach_original: Treat the first pass as a fixed target. The paper does not say.
    """

    def __init__(self, *, norm: Norm = "l1", detach_original: bool = True) -> None:
        super().__init__()
        self.norm = norm
        self.detach_original = detach_original

    def forward(self, original: HandPrediction, recycled: HandPrediction) -> LossTerms:
        """Return the terms of every pair."""
        if self.detach_original:
            original = original.detach()
        joints = self._distance(centred(recycled.joints_m), centred(original.joints_m))
        return LossTerms(
            joints=joints,
            verts=self._distance(_from_own_wrist(recycled), _from_own_wrist(original)),
            projected=self._distance(_projected(recycled), _projected(original)),
            edges=torch.zeros_like(joints),
            normals=torch.zeros_like(joints),
        )

    def _distance(self, found: Tensor, wanted: Tensor) -> Float[Tensor, " batch"]:
        return _per_hand(found, wanted, self.norm)


def _per_hand(
    found: Float[Tensor, "batch points dims"], wanted: Float[Tensor, "batch points dims"], norm: Norm
) -> Float[Tensor, " batch"]:
    return _DISTANCES[norm](found - wanted).mean(dim=(1, 2))


def _from_own_wrist(hand: HandPrediction) -> Float[Tensor, "batch verts 3"]:
    return from_wrist(hand.verts_m, hand.joints_m)


def _projected(hand: HandPrediction) -> Float[Tensor, "batch joints 2"]:
    return project_weak_perspective(hand.joints_m, hand.camera)
