"""The photographs of a split as a network sees them without augmentation."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor
from torch.utils.data import Dataset

from shared.camera import project_px, px_to_ndc
from shared.errors import DatasetError
from shared.freihand import FreiHandSplit
from shared.twins.sample import SyntheticSample
from trainer.data.augment import Warp
from trainer.data.box_crops import box_warp
from trainer.data.resampling import Image


class CentreCrops(Dataset[Tensor]):
    """The middles of the photographs of a split; labels are not needed."""

    def __init__(self, split: FreiHandSplit, *, crop_px: int, input_px: int) -> None:
        self.split = split
        self.input_px = input_px
        self.crop_px = crop_px
        self.crop_share = crop_px / split.image_px

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> Tensor:
        return torch.from_numpy(self.warp(index).image(self.picture(index), size_px=self.input_px))

    def warp(self, index: int) -> Warp:  # noqa: ARG002 - here all are alike
        """Return what the crop shows of a photograph."""
        return Warp(1 / self.crop_share)

    def picture(self, index: int) -> Image:
        """Return the photograph, or what stands in its place."""
        return self.split.image(index)

    def twin_warp(self, index: int, twin: SyntheticSample) -> Warp:  # noqa: ARG002 - as its photograph's
        """Return what the crop shows of a twin of a photograph."""
        return self.warp(index)

    def in_photographs(
        self, indices: Sequence[int], cameras: Float32[np.ndarray, "hands 3"]
    ) -> Float32[np.ndarray, "hands 3"]:
        """Return the cameras of whole photographs from those of their crops."""
        warps = [self.warp(index) for index in indices]
        magnifications = np.array([[warp.magnification] for warp in warps])
        shifts_ndc = np.array([warp.shift_ndc for warp in warps])
        # scale (xy + t) = magnification * ndc + shift, solved for the photograph's ndc
        scales, shifts_m = cameras[:, :1] / magnifications, cameras[:, 1:] - shifts_ndc / cameras[:, :1]
        return np.concatenate((scales, shifts_m), axis=1).astype(np.float32)


class BoxCrops(CentreCrops):
    """Squares about the hands of a split, found by its labels.

    Args:
        split: Photographs and labels.
        margin: Side of a crop, in longer sides of the box around the hand's joints.
        input_px: Side to which it is resized.

    Raises:
        DatasetError: The split has no labels.
    """

    def __init__(self, split: FreiHandSplit, *, margin: float, input_px: int) -> None:
        super().__init__(split, crop_px=split.image_px, input_px=input_px)
        if split.labels == "mesh" and not split.has_labels:
            raise DatasetError(
                f"{split.root}: expected labels that tell where the hands are, found none.",
                remedy="Unpack them, or predict the photographs with boxes or a detector.",
            )
        self.margin = margin

    def warp(self, index: int) -> Warp:
        """Return what the crop shows of a photograph."""
        pose, size_px = self.split.pose_of(index), self.split.image_px
        places_px, known = self.split.places_px(pose)
        return box_warp(px_to_ndc(places_px[known], size_px=size_px), margin=self.margin)

    def twin_warp(self, index: int, twin: SyntheticSample) -> Warp:  # noqa: ARG002 - it has its own box
        """Return the square about the hand that was drawn, which may not be where its photograph's is."""
        size_px = twin.labels.image_px
        joints_px = project_px(twin.joints_m, twin.labels.camera, size_px=size_px)
        return box_warp(px_to_ndc(joints_px, size_px=size_px), margin=self.margin)


def plain_crops(
    split: FreiHandSplit, *, crop_px: int, input_px: int, box_margin: float | None = None
) -> CentreCrops:
    """Return centre crops, or boxes where a network sees these and labels tell where they are."""
    if box_margin is None or split.labels == "none":
        return CentreCrops(split, crop_px=crop_px, input_px=input_px)
    return BoxCrops(split, margin=box_margin, input_px=input_px)
