"""A network: four convolutions, and one linear layer to the vertices."""

import itertools

import numpy as np
import torch
from torch import Tensor, nn

from shared.hand_model import HandModel
from shared.skeleton import WRIST
from trainer.networks.base import HandNetwork
from trainer.types import HandPrediction


class SmallHand(HandNetwork):
    """Moves the vertices of the mean hand.

    Args:
        hand_model: Whose mesh is predicted.
        channels: Of the last convolution; given in the table [model.options].
    """

    def __init__(self, hand_model: HandModel, *, channels: int = 64) -> None:
        super().__init__()
        sizes = (3, channels // 4, channels // 2, channels, channels)
        self.convolutions = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(before, after, 3, stride=2, padding=1), nn.ReLU())
                for before, after in itertools.pairwise(sizes)
            )
        )
        self.head = nn.Linear(channels, 3 * hand_model.num_verts + 3)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        wrist_m = hand_model.joint_regressor[WRIST] @ hand_model.template_m
        self.register_buffer("mean_m", torch.tensor(hand_model.template_m - wrist_m), persistent=False)
        regressor = torch.tensor(hand_model.joint_regressor)
        self.register_buffer("joint_regressor", regressor, persistent=False)
        self.scale = float(1.4 / np.ptp(hand_model.template_m, axis=0).max())

    def forward(self, images: Tensor) -> HandPrediction:
        """Predict one hand per crop, in metres from the wrist, and the camera that shows it."""
        outputs = self.head(self.convolutions(images).mean(dim=(2, 3)))
        verts_m = self.mean_m + 0.1 * outputs[:, :-3].unflatten(1, (-1, 3))
        shown = outputs[:, -3:]
        scale = self.scale * torch.exp(0.1 * shown[:, :1])
        camera = torch.cat((scale, 0.05 * shown[:, 1:]), dim=1)
        return HandPrediction(verts_m=verts_m, joints_m=self.joint_regressor @ verts_m, camera=camera)
