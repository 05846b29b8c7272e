"""Batches and predictions inside the trainer. Frames and units are those of shared/types.py."""

from typing import NamedTuple

from jaxtyping import Bool, Float
from torch import Tensor


class HandPrediction(NamedTuple):
    """What a network says about a batch of crops.

    Attributes:
        verts_m: Vertices in camera axes. Only differences between points of one hand carry meaning.
        joints_m: The 21 joints, regressed from the vertices, in the same frame.
        camera: scale, tx_m, ty_m of the crop's weak-perspective camera.
        coarse_verts_m: The coarse mesh, for networks that predict one before up-sampling.
        token_joints_m: Joints predicted directly, for networks that have joint tokens.
    """

    verts_m: Float[Tensor, "batch verts 3"]
    joints_m: Float[Tensor, "batch joints 3"]
    camera: Float[Tensor, "batch 3"]
    coarse_verts_m: Float[Tensor, "batch coarse 3"] | None = None
    token_joints_m: Float[Tensor, "batch joints 3"] | None = None

    def detach(self) -> "HandPrediction":
        """Return the same values without a graph."""
        return HandPrediction(*(None if value is None else value.detach() for value in self))  # type: ignore[arg-type]


class HandTarget(NamedTuple):
    """The labels of a batch of crops, after augmentation.

    Attributes:
        verts_m: Vertices relative to the wrist joint.
        joints_m: Joints relative to the wrist joint.
        joints_ndc: Joints in the crop's unit square; outside [-1, 1] where they leave the crop.
    """

    verts_m: Float[Tensor, "batch verts 3"]
    joints_m: Float[Tensor, "batch joints 3"]
    joints_ndc: Float[Tensor, "batch joints 2"]


class PairedBatch(NamedTuple):
    """Photographs and their twins, both seen through the same augmentation.

    Attributes:
        photos: Normalised crops.
        twins: Renders of an earlier prediction on the same photograph; zeros where there is none.
        has_twin: False in warm-up rounds and for quarantined samples.
        target: Ground truth of the photographs.
        twin_target: Labels that the twin is trained towards (see `RecycleConfig.target`).
        sample_ids: Names, for error messages.
    """

    photos: Float[Tensor, "batch 3 height width"]
    twins: Float[Tensor, "batch 3 height width"]
    has_twin: Bool[Tensor, " batch"]
    target: HandTarget
    twin_target: HandTarget
    sample_ids: tuple[str, ...]
