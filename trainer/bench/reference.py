"""FastMETRO's training step in the form of its publication, which ours is measured beside.

Plain PyTorch modules, written anew from the paper and its program's structure: sequence-first attention that
returns its maps, padding masks that mask nothing, tokens repeated for every image, one pass for photographs
and another for their twins, meshes raised one by one by a sparse matrix, AdamW as it comes. Parameters have
the released names, so that this step and ours start from the same weights, and give the same numbers.
"""

import copy
import math
from collections.abc import Callable
from typing import NamedTuple, cast

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from shared.hand_model import HandModel
from shared.skeleton import WRIST
from trainer.config.run import TrainConfig
from trainer.data.dataset import LoadedBatch
from trainer.networks.build import build_network
from trainer.networks.fastmetro import FastMetro
from trainer.networks.transformer import EncoderDecoder, sine_positions
from trainer.objective.correlation import SelfCorrelationLoss
from trainer.objective.terms import TermWeights
from trainer.run.processes import build_fabric
from trainer.training.learner import term_weights
from trainer.types import HandPrediction, HandTarget, PairedBatch


def reference_step(config: TrainConfig, model: HandModel, batch: LoadedBatch) -> Callable[[], None]:
    """Return the step as FastMETRO's program does it, with the paper's second pass and comparison."""
    fabric = build_fabric(config)
    ours = build_network(config.model, model, cache_dir=config.run_dir)
    assert isinstance(ours, FastMetro), "only FastMETRO has a reference form"
    network = ReferenceFastMetro(ours).to(fabric.device).train()
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=config.optimiser.learning_rate, weight_decay=config.optimiser.weight_decay
    )
    faces = torch.from_numpy(model.faces).long().to(fabric.device)
    weights = term_weights(config.loss)

    def step() -> None:
        total = reference_loss(network, fabric.to_device(batch).normalised(), faces=faces, weights=weights)
        optimiser.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), config.optimiser.clip_norm or math.inf)
        optimiser.step()

    return step


def reference_loss(
    network: "ReferenceFastMetro", data: PairedBatch, *, faces: Tensor, weights: TermWeights
) -> Float[Tensor, ""]:
    """Return the paper's loss with all weights 1, from two passes; every photograph has a twin."""
    original, recycled = network(data.photos.contiguous()), network(data.twins.contiguous())
    ids = network.coarse_vert_ids
    photographs = _supervised(original, data.target, faces, ids, weights)
    twins = _supervised(recycled, data.twin_target, faces, ids, weights)
    total: Tensor = photographs + twins + SelfCorrelationLoss(weights)(original, recycled).total.mean()
    return total


class ReferenceFastMetro(nn.Module):
    """The network of the publication, with the weights of one of ours.

    Args:
        ours: Gives sizes, constants, backbone and weights; it is left as it is.
    """

    coarse_vert_ids: Tensor
    forbidden: Bool[Tensor, "points points"]
    upsampling: Tensor
    joint_regressor: Float[Tensor, "joints verts"]

    def __init__(self, ours: FastMetro) -> None:
        super().__init__()
        self.num_joints = ours.num_joints
        self.backbone = copy.deepcopy(ours.backbone)
        self.conv_1x1 = copy.deepcopy(ours.conv_1x1)
        self.cam_token_embed = copy.deepcopy(ours.cam_token_embed)
        self.joint_token_embed = copy.deepcopy(ours.joint_token_embed)
        self.vertex_token_embed = copy.deepcopy(ours.vertex_token_embed)
        self.dim_reduce_enc_cam = copy.deepcopy(ours.dim_reduce_enc_cam)
        self.dim_reduce_enc_img = copy.deepcopy(ours.dim_reduce_enc_img)
        self.dim_reduce_dec = copy.deepcopy(ours.dim_reduce_dec)
        self.xyz_regressor = copy.deepcopy(ours.xyz_regressor)
        self.cam_predictor = copy.deepcopy(ours.cam_predictor)
        self.transformer_1 = _Transformer(ours.transformer_1)
        self.transformer_2 = _Transformer(ours.transformer_2)
        for name in ("coarse_vert_ids", "forbidden", "joint_regressor"):
            self.register_buffer(name, getattr(ours, name).clone(), persistent=False)
        self.register_buffer("upsampling", ours.upsampling.to_sparse(), persistent=False)
        self.load_state_dict(ours.state_dict())

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> HandPrediction:
        """Predict one hand per crop, seen from its wrist."""
        batch = images.shape[0]
        camera = self.cam_token_embed.weight[:, None].repeat(1, batch, 1)
        points = torch.cat([self.joint_token_embed.weight, self.vertex_token_embed.weight])
        points = points[:, None].repeat(1, batch, 1)
        features = self.conv_1x1(self.backbone(images))
        rows, columns = features.shape[2:]
        image = features.flatten(2).permute(2, 0, 1)
        camera, image, points = self.transformer_1(camera, image, points, self.forbidden, (rows, columns))
        camera, image = self.dim_reduce_enc_cam(camera), self.dim_reduce_enc_img(image)
        points = self.dim_reduce_dec(points)
        camera, _, points = self.transformer_2(camera, image, points, self.forbidden, (rows, columns))
        points_m = self.xyz_regressor(points.transpose(0, 1))
        tokens_m, coarse_m = points_m[:, : self.num_joints], points_m[:, self.num_joints :]
        verts_m = torch.stack([torch.sparse.mm(self.upsampling, one) for one in coarse_m])
        joints_m = torch.einsum("bik,ji->bjk", verts_m, self.joint_regressor)
        wrist_m = joints_m[:, WRIST, None]
        return HandPrediction(
            verts_m=verts_m - wrist_m,
            joints_m=joints_m - wrist_m,
            camera=self.cam_predictor(camera)[0],
            coarse_verts_m=coarse_m - wrist_m,
            token_joints_m=tokens_m - tokens_m[:, WRIST, None],
        )


class _Sizes(NamedTuple):
    dim: int
    num_heads: int
    hidden: int
    dropout: float


class _Transformer(nn.Module):
    def __init__(self, ours: EncoderDecoder) -> None:
        super().__init__()
        layers = ours.encoder.layers
        attention = cast("nn.MultiheadAttention", layers[0].self_attn)
        hidden, dropout = cast("nn.Linear", layers[0].linear1), cast("nn.Dropout", layers[0].dropout)
        sizes = _Sizes(attention.embed_dim, attention.num_heads, hidden.out_features, dropout.p)
        self.encoder = _Stack([_EncoderLayer(sizes) for _ in layers], sizes.dim)
        self.decoder = _Stack([_DecoderLayer(sizes) for _ in layers], sizes.dim)

    def forward(
        self, camera: Tensor, image: Tensor, points: Tensor, forbidden: Tensor, grid: tuple[int, int]
    ) -> tuple[Tensor, Tensor, Tensor]:
        cells, batch, dim = image.shape
        positions = sine_positions(*grid, dim=dim, device=image.device)[:, None].repeat(1, batch, 1)
        nothing = torch.zeros(batch, cells, dtype=torch.bool, device=image.device)
        padding = torch.cat([torch.zeros_like(nothing[:, :1]), nothing], dim=1)
        memory = torch.cat([camera, image])
        for layer in self.encoder.layers:
            memory = layer(memory, padding, positions)
        camera, image = self.encoder.norm(memory).split([1, cells])
        for layer in self.decoder.layers:
            points = layer(points, image, forbidden, nothing, positions, torch.zeros_like(points))
        return camera, image, self.decoder.norm(points)


class _Stack(nn.Module):
    def __init__(self, layers: list[nn.Module], dim: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(dim)


class _EncoderLayer(nn.Module):
    def __init__(self, sizes: _Sizes) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(sizes.dim, sizes.num_heads, dropout=sizes.dropout)
        self.linear1, self.linear2 = nn.Linear(sizes.dim, sizes.hidden), nn.Linear(sizes.hidden, sizes.dim)
        self.norm1, self.norm2 = nn.LayerNorm(sizes.dim), nn.LayerNorm(sizes.dim)
        self.dropout, self.dropout1, self.dropout2 = (nn.Dropout(sizes.dropout) for _ in range(3))

    def forward(self, tokens: Tensor, padding: Tensor, positions: Tensor) -> Tensor:
        normed = self.norm1(tokens)
        located = torch.cat([normed[:1], normed[1:] + positions])
        gathered = self.self_attn(located, located, value=normed, key_padding_mask=padding)[0]
        tokens = tokens + self.dropout1(gathered)
        hidden = self.linear2(self.dropout(functional.relu(self.linear1(self.norm2(tokens)))))
        finished: Tensor = tokens + self.dropout2(hidden)
        return finished


class _DecoderLayer(nn.Module):
    def __init__(self, sizes: _Sizes) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(sizes.dim, sizes.num_heads, dropout=sizes.dropout)
        self.multihead_attn = nn.MultiheadAttention(sizes.dim, sizes.num_heads, dropout=sizes.dropout)
        self.linear1, self.linear2 = nn.Linear(sizes.dim, sizes.hidden), nn.Linear(sizes.hidden, sizes.dim)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(sizes.dim) for _ in range(3))
        self.dropout, self.dropout1, self.dropout2, self.dropout3 = (
            nn.Dropout(sizes.dropout) for _ in range(4)
        )

    def forward(
        self,
        points: Tensor,
        image: Tensor,
        forbidden: Tensor,
        padding: Tensor,
        positions: Tensor,
        nowhere: Tensor,
    ) -> Tensor:
        normed = self.norm1(points)
        located = normed + nowhere
        points = points + self.dropout1(
            self.self_attn(located, located, value=normed, attn_mask=forbidden)[0]
        )
        queries = self.norm2(points) + nowhere
        gathered = self.multihead_attn(
            query=queries, key=image + positions, value=image, key_padding_mask=padding
        )[0]
        points = points + self.dropout2(gathered)
        hidden = self.linear2(self.dropout(functional.relu(self.linear1(self.norm3(points)))))
        finished: Tensor = points + self.dropout3(hidden)
        return finished


def _supervised(
    hand: HandPrediction, target: HandTarget, faces: Tensor, coarse_ids: Tensor, weights: TermWeights
) -> Float[Tensor, ""]:
    """FastMETRO's losses, averaged over the batch."""
    assert hand.token_joints_m is not None
    assert hand.coarse_verts_m is not None
    joint_sets = (hand.token_joints_m, hand.joints_m)
    joints = sum(functional.l1_loss(joints_m, target.joints_m) for joints_m in joint_sets)
    verts = 0.5 * functional.l1_loss(hand.coarse_verts_m, target.verts_m[:, coarse_ids])
    verts = verts + 0.5 * functional.l1_loss(hand.verts_m, target.verts_m)
    scale, shift_m = hand.camera[:, None, :1], hand.camera[:, None, 1:]
    projected = sum(
        functional.l1_loss(scale * (joints_m[..., :2] + shift_m), target.joints_ndc)
        for joints_m in joint_sets
    )
    found, wanted = _edges(hand.verts_m, faces), _edges(target.verts_m, faces)
    edges = torch.cat(
        [
            (one.square().sum(2).sqrt() - other.square().sum(2).sqrt()).abs()
            for one, other in zip(found, wanted, strict=True)
        ],
        dim=1,
    ).mean()
    unit = [functional.normalize(edge, dim=2) for edge in wanted[:2]]
    normal = functional.normalize(torch.cross(unit[0], unit[1], dim=2), dim=2)
    normals = torch.cat(
        [(functional.normalize(edge, dim=2) * normal).sum(2).abs() for edge in found], dim=1
    ).mean()
    total: Tensor = weights.joints * joints + weights.verts * verts + weights.projected * projected
    return total + weights.edges * edges + weights.normals * normals


def _edges(verts_m: Tensor, faces: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    corners = [verts_m[:, faces[:, corner]] for corner in range(3)]
    return corners[1] - corners[0], corners[2] - corners[0], corners[2] - corners[1]
