"""A hand regressor: an image backbone, averaged over the picture, and one linear layer to mesh and camera."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from shared.hand_model import HandModel
from shared.skeleton import WRIST
from trainer.models.backbones import feature_backbone
from trainer.types import HandNetwork, HandPrediction

UNIT_M = 0.05
"""What 1 means at the output of the linear layer: half a hand's width; a tenth of it learns more slowly."""

HAND_SHARE = 0.7
"""Share of the crop that a hand fills at the start of training."""


class HandRegressor(HandNetwork):
    """Vertices as displacements of the mean hand, and a weak-perspective camera whose scale is positive.

    The linear layer starts near zero, so that training starts from the mean hand in the middle of the crop.

    Args:
        hand_model: Gives the mean hand and the joints that belong to a mesh.
        backbone: Name of a network of torchvision or timm.
        pretrained: Start from ImageNet weights.
    """

    mean_verts_m: Float[Tensor, "verts 3"]
    joint_regressor: Float[Tensor, "joints verts"]

    def __init__(self, hand_model: HandModel, *, backbone: str, pretrained: bool) -> None:
        super().__init__()
        features = feature_backbone(backbone, pretrained=pretrained)
        self.backbone = features.module
        self.head = nn.Linear(features.channels, 3 * hand_model.num_verts + 3)
        nn.init.normal_(self.head.weight, std=1e-3)
        nn.init.zeros_(self.head.bias)
        wrist_m = hand_model.joint_regressor[WRIST] @ hand_model.template_m
        mean_verts_m = hand_model.template_m - wrist_m
        self.start_scale = float(2 * HAND_SHARE / np.ptp(mean_verts_m, axis=0).max())
        self.register_buffer("mean_verts_m", torch.from_numpy(mean_verts_m), persistent=False)
        self.register_buffer(
            "joint_regressor", torch.from_numpy(hand_model.joint_regressor), persistent=False
        )

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> HandPrediction:
        """Predict one hand per crop."""
        features = self.backbone(images).mean(dim=(2, 3))
        # In 32 bits from here: a centimetre of displacement beside a decimetre of hand needs more than bf16.
        with torch.autocast(images.device.type, enabled=False):
            raw = self.head(features.float())
            verts_m = self.mean_verts_m + UNIT_M * raw[:, :-3].unflatten(1, (-1, 3))
            scale = self.start_scale * torch.exp(0.1 * raw[:, -3:-2])
            shift_m = UNIT_M * raw[:, -2:]
            return HandPrediction(
                verts_m=verts_m,
                joints_m=self.joint_regressor @ verts_m,
                camera=torch.cat((scale, shift_m), dim=1),
            )
