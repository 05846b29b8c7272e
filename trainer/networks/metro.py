"""METRO (Lin et al., CVPR 2021) and Mesh Graphormer (Lin et al., ICCV 2021): template tokens and an encoder.

Graphormer is METRO with the cells of the feature map as further tokens, and graph convolutions over the
coarse mesh in the last block.
"""

from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from shared.hand_model import HandModel
from trainer.networks.backbones import feature_backbone
from trainer.networks.base import HandNetwork, Surroundings
from trainer.networks.coarse.mesh import CoarseMesh
from trainer.networks.coarse.section import CoarseMeshSection
from trainer.networks.template_tokens import HandReadout, TemplateTokens
from trainer.networks.token_encoder import EncoderSizes, TokenEncoder
from trainer.types import HandPrediction

PUBLISHED_SIZES = EncoderSizes()

_TEMPLATE_DIM = 3


class TokenNetwork(HandNetwork):
    """What both networks consist of: backbone, tokens of the template, encoder, and a readout of the hand.

    Args:
        model: Hand model whose mesh is predicted.
        mesh: Its coarse mesh.
        backbone: Name of an image backbone, see `trainer.networks.backbones`.
        pretrained: Start the backbone from ImageNet weights.
        masked_share: Largest share of tokens that training blots out, see `TemplateTokens`.
        sizes: Sizes of the encoder.
    """

    def __init__(
        self,
        model: HandModel,
        mesh: CoarseMesh,
        *,
        backbone: str = "hrnet_w64",
        pretrained: bool = True,
        masked_share: float = 0.0,
        sizes: EncoderSizes = PUBLISHED_SIZES,
    ) -> None:
        super().__init__(coarse_vert_ids=torch.tensor(mesh.vert_ids))
        self.backbone, channels, _ = feature_backbone(backbone, pretrained=pretrained)
        self.tokens = TemplateTokens(model, mesh, masked_share=masked_share)
        self.encoder = self._make_encoder(mesh, channels, sizes)
        self.readout = HandReadout(model, mesh)

    def _make_encoder(self, mesh: CoarseMesh, channels: int, sizes: EncoderSizes) -> TokenEncoder:
        """Return the encoder, for tokens made from this many channels of the backbone."""
        raise NotImplementedError


class Metro(TokenNetwork):
    """Mesh transformer: every joint and vertex of the template asks the image where it is.

    58.3 million parameters in the encoder, 184.5 million with HRNet-W64.
    """

    def _make_encoder(self, mesh: CoarseMesh, channels: int, sizes: EncoderSizes) -> TokenEncoder:
        del mesh
        return TokenEncoder(channels + _TEMPLATE_DIM, sizes, feedforward=4)

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> HandPrediction:
        """Predict one hand per crop."""
        features = self.backbone(images)
        hand: HandPrediction = self.readout(self.encoder(self.tokens(features.mean(dim=(2, 3)))))
        return hand


class Graphormer(TokenNetwork):
    """Mesh Graphormer: METRO that also sees the cells of the image, and knows which vertices are neighbours.

    Cells come from the backbone's last feature map; the published code takes HRNet's last but one. 40.5
    million parameters in the encoder, 170.9 million with HRNet-W64.
    """

    def _make_encoder(self, mesh: CoarseMesh, channels: int, sizes: EncoderSizes) -> TokenEncoder:
        self.cells = nn.Linear(channels, channels + _TEMPLATE_DIM)
        neighbours = torch.tensor(mesh.neighbours)
        return TokenEncoder(channels + _TEMPLATE_DIM, sizes, feedforward=2, neighbours=neighbours)

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> HandPrediction:
        """Predict one hand per crop."""
        features = self.backbone(images)
        points = self.tokens(features.mean(dim=(2, 3)))
        cells = self.cells(features.flatten(2).transpose(1, 2))
        encoded = self.encoder(torch.cat([points, cells], dim=1))
        hand: HandPrediction = self.readout(encoded[:, : points.shape[1]])
        return hand


class TokenNetworkSection(CoarseMeshSection):
    """What METRO and Mesh Graphormer share: the keys, and how they are built."""

    network: ClassVar[type[TokenNetwork]]

    masked_share: float = Field(default=0.0, ge=0, le=1)
    """Largest share of joint tokens, and of vertex tokens, that training blots out. METRO found 0 or 0.05
    best for hands; its released code has 0."""

    def build(self, given: Surroundings) -> TokenNetwork:
        """Build the network on the CPU."""
        return self.network(
            given.hand_model,
            self.mesh_for(given),
            backbone=self.backbone,
            pretrained=self.pretrained and not given.from_checkpoint,
            masked_share=self.masked_share,
            sizes=EncoderSizes(dropout=self.dropout),
        )


class MetroModel(TokenNetworkSection):
    """METRO: template tokens with the image's global feature, through an encoder of three blocks."""

    network = Metro

    name: Literal["metro"]
    """Which network."""


class GraphormerModel(TokenNetworkSection):
    """Mesh Graphormer: METRO with image tokens, and graph convolutions in the last block."""

    network = Graphormer

    name: Literal["graphormer"]
    """Which network."""
