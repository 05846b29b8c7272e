"""The photographs of a split as a network sees them without augmentation."""

import torch
from torch import Tensor
from torch.utils.data import Dataset

from shared.freihand import FreiHandSplit
from trainer.data.augment import Warp


class CentreCrops(Dataset[Tensor]):
    """The photographs of a split as a network sees them without augmentation; labels are not needed."""

    def __init__(self, split: FreiHandSplit, *, crop_px: int, input_px: int) -> None:
        self.split = split
        self.input_px = input_px
        self.crop_share = crop_px / split.image_px

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> Tensor:
        warp = Warp(1 / self.crop_share)
        return torch.from_numpy(warp.image(self.split.image(index), size_px=self.input_px))
