"""A small hand network that sees fingers: a map of places for every joint, and the mesh that they say.

Features averaged over a picture know what is in it and not where. Here every joint has a heat map, whose mean
is its place, and a map of depths, which is read where the heat is; `MeshLifter` turns these 21 points into a
mesh. The camera is not predicted: it is the one that lays the mesh on the places.
"""

from typing import ClassVar, Final, Literal, NamedTuple

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from shared.hand_model import HandModel
from shared.ranges import Weight
from shared.skeleton import WRIST
from trainer.networks.base import HandNetwork, NetworkSection, Surroundings
from trainer.networks.joint_reader.feature_pyramid import STRIDES, FeaturePyramid
from trainer.networks.joint_reader.mesh_lifter import MeshLifter, fit_camera
from trainer.types import HandPrediction

_LEAST_SPREAD: Final = 1e-3
_DOUBT: Final = 0.05
"""Spread, in ndc, of a joint that already counts half of one without any in the fit of the camera."""


class JointMaps(NamedTuple):
    """What is read from the maps, in the crop's unit square.

    Attributes:
        heat_logits: Logarithm of the heat, up to a constant per joint; rows then columns of the crop.
        places_ndc: Mean place of the heat. It lies inside the crop, also where the joint does not.
        depths_ndc: Depth behind the wrist, in the unit of the places: `scale * (z - z_wrist)`.
        spreads_ndc: Standard deviation of the heat: how unsure the place is.
    """

    heat_logits: Float[Tensor, "batch joints rows columns"]
    places_ndc: Float[Tensor, "batch joints 2"]
    depths_ndc: Float[Tensor, "batch joints"]
    spreads_ndc: Float[Tensor, "batch joints"]


class JointReader(HandNetwork):
    """Heat maps on a feature pyramid, and a mesh lifted from the joints that they show.

    The crop's side must be a multiple of 32 pixels; a network works at other sides than it was trained at.
    `token_joints_m` are the joints as read from the maps: projected by the camera, they are the places.

    Args:
        hand_model: Gives the mean hand, how it moves, and the joints that belong to a mesh.
        backbone: Name of a network of torchvision that is a sequence of layers, such as ``mobilenet_v2``.
        pretrained: Start from ImageNet weights.
        channels: Of the joined feature maps.
        frozen_stride: Stages of the backbone up to this stride do not learn; 0 lets all of them learn.
        fold_batch_norm: Put the backbone's batch norm into its convolutions before anything is learnt.
        tries_turns: Predict in four turns of the crop, and keep the surest.
    """

    def __init__(
        self,
        hand_model: HandModel,
        *,
        backbone: str,
        pretrained: bool,
        channels: int,
        frozen_stride: int,
        fold_batch_norm: bool = False,
        tries_turns: bool = False,
    ) -> None:
        super().__init__(tries_turns=tries_turns)
        self.num_joints = len(hand_model.joint_regressor)
        self.pyramid = FeaturePyramid(
            backbone, pretrained=pretrained, frozen_stride=frozen_stride, folded=fold_batch_norm
        )
        widths = [self.pyramid.channels[stride] for stride in STRIDES]
        self.lateral = nn.ModuleList(nn.Conv2d(width, channels, kernel_size=1) for width in widths)
        self.smooth = nn.ModuleList(_separable(channels) for _ in STRIDES[1:])
        self.heat = nn.Conv2d(channels, self.num_joints, kernel_size=1)
        self.depth = nn.Conv2d(channels, self.num_joints, kernel_size=1)
        self.whole_depth = nn.Linear(widths[-1], self.num_joints)
        nn.init.normal_(self.whole_depth.weight, std=1e-3)
        self.lifter = MeshLifter(hand_model)

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> HandPrediction:
        """Predict one hand per crop; coordinates are computed in 32 bits even under autocast."""
        maps = self.read(images)
        points_ndc = torch.cat((maps.places_ndc, maps.depths_ndc[..., None]), dim=2)
        with torch.autocast(images.device.type, enabled=False):  # bfloat16 is too coarse for millimetres
            mesh = self.lifter(points_ndc, maps.spreads_ndc)
            camera = fit_camera(mesh.joints_m, maps.places_ndc, weights=1 / (_DOUBT + maps.spreads_ndc))
            scale, shift_m = camera[:, None, :1], camera[:, None, 1:]
            read_m = torch.cat((points_ndc[..., :2] / scale - shift_m, points_ndc[..., 2:] / scale), dim=2)
            return HandPrediction(
                verts_m=mesh.verts_m,
                joints_m=mesh.joints_m,
                camera=camera,
                token_joints_m=read_m,
                heat_logits=maps.heat_logits,
                spreads_ndc=maps.spreads_ndc,
            )

    def read(self, images: Float[Tensor, "batch 3 height width"]) -> JointMaps:
        """Return what the maps say about every joint, without a mesh."""
        features = self.pyramid(images)
        joined = self.lateral[-1](features[-1])
        for level in reversed(range(len(STRIDES) - 1)):
            finer = functional.interpolate(joined, scale_factor=2.0, mode="nearest")
            joined = self.smooth[level](finer + self.lateral[level](features[level]))
        heat_logits, depths = self.heat(joined), self.depth(joined)
        with torch.autocast(images.device.type, enabled=False):
            heat = heat_logits.float().flatten(2).softmax(dim=2)
            cells_ndc = _cell_centres(*heat_logits.shape[2:], like=heat)
            places_ndc = heat @ cells_ndc
            square = heat @ cells_ndc.square().sum(dim=1) - places_ndc.square().sum(dim=2)
            depths_ndc = (heat * depths.float().flatten(2)).sum(dim=2)
            depths_ndc = depths_ndc + self.whole_depth(features[-1].float().mean(dim=(2, 3)))
            return JointMaps(
                heat_logits=heat_logits.float(),
                places_ndc=places_ndc,
                depths_ndc=depths_ndc - depths_ndc[:, WRIST, None],
                spreads_ndc=square.clamp_min(_LEAST_SPREAD**2).sqrt(),
            )


def _separable(channels: int) -> nn.Sequential:
    """Return a 3x3 convolution within channels, then one across them."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, kernel_size=3, padding=1, groups=channels, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Conv2d(channels, channels, kernel_size=1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
    )


def _cell_centres(rows: int, columns: int, *, like: Tensor) -> Float[Tensor, "cells 2"]:
    """Return x and y of every cell's centre in ndc, row after row."""
    x, y = (
        (torch.arange(count, dtype=like.dtype, device=like.device) + 0.5) * (2 / count) - 1
        for count in (columns, rows)
    )
    return torch.stack((x.repeat(rows), y.repeat_interleave(columns)), dim=1)


class JointReaderModel(NetworkSection):
    """A small network that looks for each joint in a heat map, and lifts the joints to a mesh.

    It is not of the paper. `data.input_px` must be a multiple of 32.
    """

    input_multiple_px: ClassVar[int] = STRIDES[-1]

    name: Literal["joint_reader"]
    """Which network."""
    backbone: str = "mobilenet_v2"
    """A network of torchvision that is a sequence of layers, such as ``mobilenet_v2`` or ``resnet18``."""
    pretrained: bool = True
    """Start from ImageNet weights, which are downloaded once into $TORCH_HOME."""
    channels: int = Field(default=96, ge=1, le=8192)
    """Of the feature maps that places are read from."""
    frozen_stride: int = Field(default=4, ge=0, le=32)
    """Stages of the backbone up to this stride keep the weights that they start from, and steps are faster
    for it; 0 lets all of them learn. Without ImageNet weights, let all of them learn."""
    fold_batch_norm: bool = False
    """Put the backbone's batch norm into its convolutions before training: a step is 1.6 times as fast on a
    CPU. Wants ImageNet weights, and a lower learning rate: 1e-3 was too much where 4e-4 was not."""
    tries_turns: bool = False
    """Predict every crop in four quarter turns and keep the one whose heat spreads least: four times the
    work, for networks that are shown upright hands above all. Exported networks do not."""
    drill: Weight = 0.5
    """Weight, beside the losses of the photographs, of hands without pictures that teach the lifter in every
    step; 0 leaves them out."""
    drill_hands: int = Field(default=40_000, ge=1, le=1_000_000)
    """Hands that are posed for this at the start of every run: 40,000 take 190 MB and half a minute."""

    def build(self, given: Surroundings) -> JointReader:
        """Build the network on the CPU."""
        return JointReader(
            given.hand_model,
            backbone=self.backbone,
            pretrained=self.pretrained and not given.from_checkpoint,
            channels=self.channels,
            frozen_stride=self.frozen_stride,
            fold_batch_norm=self.fold_batch_norm,
            tries_turns=self.tries_turns,
        )
