"""FastMETRO (Cho et al. 2022): one token per joint and per coarse vertex, decoded from image tokens.

The names of all parameters are those of the released weights, which therefore load as they are
(`trainer.networks.weights.start`); constants are buffers that no checkpoint holds.
"""

from typing import Annotated, Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from shared.hand_model import HandModel
from trainer.networks.backbones import feature_backbone
from trainer.networks.base import HandNetwork, Surroundings
from trainer.networks.coarse.mesh import CoarseMesh
from trainer.networks.coarse.section import CoarseMeshSection
from trainer.networks.transformer import Encoded, EncoderDecoder, sine_positions
from trainer.types import HandPrediction

NUM_LAYERS = {"S": 1, "M": 2, "L": 3}
"""Layers of every encoder and decoder in FastMETRO-S, -M and -L."""

INITIAL_SCALE = 8.0
"""Scale of the camera before training, ndc per metre: a hand of 20 cm then fills most of the crop."""

_INITIAL_SPREAD = 0.1
"""Points before training, relative to the usual initialisation, whose points are half a metre apart."""


class FastMetro(HandNetwork):
    """The hand network of FastMETRO.

    The camera sees hands whose wrist is the origin: FastMETRO's recipe moves mesh and joint tokens there,
    each by its own wrist, before it projects them; METRO and Mesh Graphormer project points as they come. So
    that one camera is right wherever it is used, predictions leave the network like that. The camera is the
    last layer's raw output, as in the released weights: nothing but training keeps its scale positive. Beside
    the backbone, S, M and L have 9.2, 17.0 and 24.8 million parameters.

    Args:
        model: Hand model whose mesh is predicted.
        mesh: Its coarse mesh.
        backbone: Name of an image backbone, see `trainer.networks.backbones`.
        pretrained: Start the backbone from ImageNet weights.
        num_layers: Of encoder and of decoder in both transformers: see `NUM_LAYERS`.
        dims: Token size of the first and the second transformer; feed-forward layers are four times as wide.
        num_heads: Attention heads.
        dropout: Share of activations that training drops in the transformers.
    """

    joint_regressor: Float[Tensor, "joints verts"]
    upsampling: Float[Tensor, "verts coarse"]
    forbidden: Bool[Tensor, "points points"]

    def __init__(
        self,
        model: HandModel,
        mesh: CoarseMesh,
        *,
        backbone: str = "hrnet_w64",
        pretrained: bool = True,
        num_layers: int = 3,
        dims: tuple[int, int] = (512, 128),
        num_heads: int = 8,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(coarse_vert_ids=torch.tensor(mesh.vert_ids))
        first, second = dims
        self.num_joints = len(model.joint_regressor)
        self.backbone, channels, _ = feature_backbone(backbone, pretrained=pretrained)
        self.conv_1x1 = nn.Conv2d(channels, first, kernel_size=1)
        self.cam_token_embed = nn.Embedding(1, first)
        self.joint_token_embed = nn.Embedding(self.num_joints, first)
        self.vertex_token_embed = nn.Embedding(len(mesh), first)
        self.transformer_1, self.transformer_2 = (
            EncoderDecoder(
                dim, num_layers=num_layers, feedforward_dim=4 * dim, num_heads=num_heads, dropout=dropout
            )
            for dim in dims
        )
        self.dim_reduce_enc_cam = nn.Linear(first, second)
        self.dim_reduce_enc_img = nn.Linear(first, second)
        self.dim_reduce_dec = nn.Linear(first, second)
        self.xyz_regressor = nn.Linear(second, 3)
        self.cam_predictor = nn.Linear(second, 3)
        self._start_with_a_hand_in_the_crop()
        constants = {
            "joint_regressor": torch.tensor(model.joint_regressor),
            "upsampling": torch.tensor(mesh.upsampling),
            "forbidden": attention_mask(mesh, num_joints=self.num_joints),
        }
        for name, constant in constants.items():
            self.register_buffer(name, constant, persistent=False)

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> HandPrediction:
        """Predict one hand per crop; coordinates are computed in 32 bits even under autocast."""
        features = self.conv_1x1(self.backbone(images))
        tokens = Encoded(
            camera=self.cam_token_embed.weight.expand(images.shape[0], -1, -1),
            image=features.flatten(2).transpose(1, 2),
            points=torch.cat([self.joint_token_embed.weight, self.vertex_token_embed.weight])[None],
        )
        rows, columns = features.shape[2:]
        tokens = self._transform(self.transformer_1, tokens, rows, columns)
        tokens = Encoded(
            camera=self.dim_reduce_enc_cam(tokens.camera),
            image=self.dim_reduce_enc_img(tokens.image),
            points=self.dim_reduce_dec(tokens.points),
        )
        tokens = self._transform(self.transformer_2, tokens, rows, columns)
        with torch.autocast(images.device.type, enabled=False):  # bfloat16 is too coarse for millimetres
            points_m = self.xyz_regressor(tokens.points.float())
            coarse_m = points_m[:, self.num_joints :]
            verts_m = apply_rows(self.upsampling, coarse_m)
            raw = HandPrediction(
                verts_m=verts_m,
                joints_m=apply_rows(self.joint_regressor, verts_m),
                camera=self.cam_predictor(tokens.camera.float())[:, 0],
                coarse_verts_m=coarse_m,
                token_joints_m=points_m[:, : self.num_joints],
            )
            return raw.from_wrist()  # where the camera expects them

    def _transform(self, transformer: nn.Module, tokens: Encoded, rows: int, columns: int) -> Encoded:
        positions = sine_positions(rows, columns, dim=tokens.image.shape[2], device=tokens.image.device)
        transformed: Encoded = transformer(tokens, positions=positions, forbidden=self.forbidden)
        return transformed

    def _start_with_a_hand_in_the_crop(self) -> None:
        """Begin near the answer; FastMETRO begins with points half a metre apart and a scale around 0."""
        with torch.no_grad():
            self.xyz_regressor.weight.mul_(_INITIAL_SPREAD)
            self.xyz_regressor.bias.zero_()
            self.cam_predictor.weight.mul_(_INITIAL_SPREAD)
            self.cam_predictor.bias.copy_(torch.tensor([INITIAL_SCALE, 0.0, 0.0]))


def attention_mask(mesh: CoarseMesh, *, num_joints: int) -> Bool[Tensor, "points points"]:
    """Return True where a point must not look: a vertex at a vertex that is not its neighbour."""
    forbidden = torch.zeros(num_joints + len(mesh), num_joints + len(mesh), dtype=torch.bool)
    forbidden[num_joints:, num_joints:] = torch.tensor(~mesh.neighbours)
    return forbidden


def apply_rows(
    rows: Float[Tensor, "outputs points"], points_m: Float[Tensor, "batch points 3"]
) -> Float[Tensor, "batch outputs 3"]:
    """Multiply a matrix with the points of every hand, as one product for the whole batch."""
    return functional.linear(points_m.transpose(1, 2), rows).transpose(1, 2)


type _TokenSize = Annotated[int, Field(ge=8, le=8192, multiple_of=8)]


class FastMetroModel(CoarseMeshSection):
    """FastMETRO: joints and coarse vertices decoded from image tokens; the paper's main baseline."""

    name: Literal["fastmetro"]
    """Which network."""
    size: Literal["S", "M", "L"] = "L"
    """One, two or three layers in every encoder and decoder."""
    dims: tuple[_TokenSize, _TokenSize] = (512, 128)
    """Token sizes of the two transformers, multiples of the number of heads; smaller ones suit machines
    without a GPU."""

    def build(self, given: Surroundings) -> FastMetro:
        """Build the network on the CPU."""
        return FastMetro(
            given.hand_model,
            self.mesh_for(given),
            backbone=self.backbone,
            pretrained=self.pretrained and not given.from_checkpoint,
            num_layers=NUM_LAYERS[self.size],
            dims=self.dims,
            dropout=self.dropout,
        )
