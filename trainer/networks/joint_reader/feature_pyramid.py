"""A backbone that keeps its finer feature maps, so that a network can tell where things are.

Early stages can be frozen: they know edges and colours from ImageNet, and cost most of a step's time.
"""

from typing import Final, Self

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchvision.ops.misc import Conv2dNormActivation

from shared.errors import ConfigError
from trainer.networks.backbones import feature_backbone
from trainer.networks.joint_reader.batch_norm_folding import fold_batch_norm

STRIDES: Final = (8, 16, 32)
"""Pixels per cell of the maps, finest first."""

_PROBE_PX: Final = 64
_REMEDY: Final = "Choose another, such as mobilenet_v2 or resnet18."


class FeaturePyramid(nn.Module):
    """The last feature map of a backbone at each of `STRIDES`.

    The last layer, where it only widens the features for a classifier, is left out: it is heavy.

    Args:
        backbone: Name of a network of torchvision that is a sequence of layers, such as ``mobilenet_v2``.
        pretrained: Start from ImageNet weights.
        frozen_stride: Stages up to this stride do not learn; 0 lets all of them learn.
        folded: Put batch norm into the convolutions, see `fold_batch_norm`.

    Attributes:
        channels: Depth of the map of each stride.

    Raises:
        ConfigError: There is no such backbone, its weights cannot be had, or it is not a sequence of layers
            with all of the strides.
    """

    layers: nn.Sequential

    def __init__(self, backbone: str, *, pretrained: bool, frozen_stride: int, folded: bool = False) -> None:
        super().__init__()
        module = feature_backbone(backbone, pretrained=pretrained).module
        if not isinstance(module, nn.Sequential):
            kind = type(module).__name__
            raise ConfigError(
                f"model.backbone: expected a sequence of layers, found {kind} for {backbone}.", remedy=_REMEDY
            )
        layers = list(module)
        self.layers = nn.Sequential(*layers[:-1]) if isinstance(layers[-1], Conv2dNormActivation) else module
        if folded:
            fold_batch_norm(self.layers, name=backbone)
        self._ends, self.channels = _stage_ends(self.layers)
        if missing := [stride for stride in STRIDES if stride not in self._ends]:
            raise ConfigError(
                f"model.backbone: expected maps of strides {STRIDES}, found none of {missing} in {backbone}.",
                remedy=_REMEDY,
            )
        self._num_frozen = max(
            (end + 1 for stride, end in self._ends.items() if stride <= frozen_stride), default=0
        )
        self.layers[: self._num_frozen].requires_grad_(False)
        self.train()

    def train(self, mode: bool = True) -> Self:
        """Switch to training; frozen stages stay as they are, their batch statistics too."""
        super().train(mode)
        self.layers[: self._num_frozen].eval()
        return self

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> list[Float[Tensor, "batch channels rows columns"]]:
        """Return the maps, finest first."""
        features, ends, maps = images, {self._ends[stride] for stride in STRIDES}, []
        for place, layer in enumerate(self.layers):
            features = layer(features)
            if place in ends:
                maps.append(features)
        return maps


def _stage_ends(layers: nn.Sequential) -> tuple[dict[int, int], dict[int, int]]:
    """Return the last layer of every stride, and how many channels leave it; nothing is learnt."""
    was_training = layers.training
    layers.eval()
    ends, channels = {}, {}
    with torch.no_grad():
        features = torch.zeros(1, 3, _PROBE_PX, _PROBE_PX)
        for place, layer in enumerate(layers):
            features = layer(features)
            stride = _PROBE_PX // features.shape[2]
            ends[stride], channels[stride] = place, features.shape[1]
    layers.train(was_training)
    return ends, channels
