"""Batches and predictions inside the trainer. Frames and units are those of shared/types.py."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from shared.skeleton import WRIST


class HandPrediction(NamedTuple):
    """What a network says about a batch of crops.

    Attributes:
        verts_m: Vertices in camera axes. Only differences between points of one hand carry meaning.
        joints_m: The 21 joints, regressed from the vertices, in the same frame.
        camera: scale, tx_m, ty_m of the weak-perspective camera that shows these points, as they are, in the
            crop. A network whose recipe projects points from the wrist returns them so.
        coarse_verts_m: The coarse mesh, for networks that predict one before up-sampling.
        token_joints_m: Joints predicted directly, for networks that have joint tokens or maps.
        heat_logits: Logarithm of how likely each joint is in each cell of the crop, up to a constant per
            joint, for networks that have heat maps.
        spreads_ndc: Standard deviation of each joint's heat: how unsure its place is.
    """

    verts_m: Float[Tensor, "batch verts 3"]
    joints_m: Float[Tensor, "batch joints 3"]
    camera: Float[Tensor, "batch 3"]
    coarse_verts_m: Float[Tensor, "batch coarse 3"] | None = None
    token_joints_m: Float[Tensor, "batch joints 3"] | None = None
    heat_logits: Float[Tensor, "batch joints rows columns"] | None = None
    spreads_ndc: Float[Tensor, "batch joints"] | None = None

    def each(self, change: Callable[[Tensor], Tensor]) -> "HandPrediction":
        """Return the prediction with every output that is there changed alike."""
        return HandPrediction(*(None if value is None else change(value) for value in self))  # type: ignore[arg-type]

    def from_wrist(self) -> "HandPrediction":
        """Return hands whose wrists are at the origin, as those of their joint tokens; cameras stay."""
        wrist_m = self.joints_m[:, WRIST, None]
        coarse_m, tokens_m = self.coarse_verts_m, self.token_joints_m
        return self._replace(
            verts_m=self.verts_m - wrist_m,
            joints_m=self.joints_m - wrist_m,
            coarse_verts_m=None if coarse_m is None else coarse_m - wrist_m,
            token_joints_m=None if tokens_m is None else tokens_m - tokens_m[:, WRIST, None],
        )

    @property
    def joint_sets(self) -> list[Float[Tensor, "batch joints 3"]]:
        """The joints regressed from the vertices and, where there are any, those predicted directly."""
        return [self.joints_m] if self.token_joints_m is None else [self.joints_m, self.token_joints_m]

    def mesh_alone(self) -> "HandPrediction":
        """Return the final mesh, its joints and its camera, without what else a network says."""
        return HandPrediction(self.verts_m, self.joints_m, self.camera)

    def seen_with(self, views: "TwinViews") -> "HandPrediction":
        """Return hands of twins as the crops of their photographs would show them, which `views` describe."""
        back = self.turned_back(views.turns)
        scales, shifts_m = self.camera[:, :1], self.camera[:, 1:]
        middle_m = self.joints_m.mean(dim=1)[:, :2]
        linear, offsets_ndc = views.places[:, :, :2], views.places[:, :, 2]
        magnifications = torch.linalg.det(linear)[:, None].sqrt()
        turned_m = (linear / magnifications[..., None] @ (middle_m + shifts_m)[..., None])[..., 0]
        scales = magnifications * scales
        return back._replace(
            camera=torch.cat((scales, turned_m + offsets_ndc / scales - middle_m), dim=1),
        )

    def turned_back(self, turns: Float[Tensor, "batch 3 3"]) -> "HandPrediction":
        """Undo turns about the middle of the joints; the weak-perspective camera still shows the hand."""
        middle_m = self.joints_m.mean(dim=1, keepdim=True)

        def back(points_m: Tensor) -> Tensor:
            return (
                points_m - middle_m
            ) @ turns + middle_m  # a row times R is the inverse of R times a column

        coarse_m, tokens_m = self.coarse_verts_m, self.token_joints_m
        return self._replace(
            verts_m=back(self.verts_m),
            joints_m=back(self.joints_m),
            coarse_verts_m=None if coarse_m is None else back(coarse_m),
            token_joints_m=None if tokens_m is None else back(tokens_m),
        )

    def detach(self) -> "HandPrediction":
        """Return the same values without a graph."""
        return self.each(Tensor.detach)

    def rows(self, selection: slice | Int64[Tensor, " rows"]) -> "HandPrediction":
        """Return the hands that a slice or row numbers select."""
        if isinstance(selection, slice):
            return self.each(lambda value: value[selection])
        return self.each(lambda value: value.index_select(0, selection))


class KnownLabels(NamedTuple):
    """Which labels of a batch there are; the numbers in the place of the others mean nothing.

    Attributes:
        verts: Whether the vertices of a hand are known.
        joints: Which joints are known in space.
        places: Which joints are known in the crop.
    """

    verts: Bool[Tensor, " batch"]
    joints: Bool[Tensor, "batch joints"]
    places: Bool[Tensor, "batch joints"]

    @property
    def everything(self) -> Bool[Tensor, " batch"]:
        """The hands of which all is known."""
        return self.verts & self.joints.all(dim=1) & self.places.all(dim=1)

    @property
    def anything(self) -> Bool[Tensor, " batch"]:
        """The hands of which something is known."""
        return self.verts | self.joints.any(dim=1) | self.places.any(dim=1)


class HandTarget(NamedTuple):
    """The labels of a batch of crops, after augmentation.

    Attributes:
        verts_m: Vertices relative to the wrist joint.
        joints_m: Joints relative to the wrist joint.
        joints_ndc: Joints in the crop's unit square; outside [-1, 1] where they leave the crop.
        known: Which of these there are; None if all are, so that nothing is computed for the sake of others.
    """

    verts_m: Float[Tensor, "batch verts 3"]
    joints_m: Float[Tensor, "batch joints 3"]
    joints_ndc: Float[Tensor, "batch joints 2"]
    known: KnownLabels | None = None

    def rows(self, selection: slice | Int64[Tensor, " rows"]) -> "HandTarget":
        """Return the labels of the hands that a slice or row numbers select."""
        verts_m, joints_m, joints_ndc = (label[selection] for label in self[:3])
        known = None if self.known is None else KnownLabels(*(each[selection] for each in self.known))
        return HandTarget(verts_m, joints_m, joints_ndc, known)


class TwinViews(NamedTuple):
    """How the crops of twins differ from those of their photographs.

    Attributes:
        turns: From the hand in the photograph's crop to that in the twin's, about the middle of the joints.
        places: Where the photograph's crop shows a place of the twin's: a matrix for its ndc, and an offset.
    """

    turns: Float[Tensor, "twins 3 3"]
    places: Float[Tensor, "twins 2 3"]


class PairedBatch(NamedTuple):
    """Photographs, and the twins of those that have one, seen through the same augmentation.

    A warm-up round has no twins, and a quarantined render leaves its photograph without one.

    Attributes:
        photos: Normalised crops.
        target: Ground truth of the photographs.
        twins: Renders of an earlier prediction on some of the photographs.
        twin_target: Labels that the twins are trained towards (see `RecycleConfig.target`).
        twin_rows: Row of `photos` that each twin belongs to.
        sample_ids: Names of the photographs, for error messages.
        twin_views: How the twins' crops differ from those of their photographs; None if none does.
    """

    photos: Float[Tensor, "batch 3 height width"]
    target: HandTarget
    twins: Float[Tensor, "twins 3 height width"]
    twin_target: HandTarget
    twin_rows: Int64[Tensor, " twins"]
    sample_ids: tuple[str, ...]
    twin_views: TwinViews | None = None
