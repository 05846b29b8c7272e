"""The encoder of METRO and Mesh Graphormer: blocks of BERT layers that narrow every token down to xyz.

Post-norm layers with GELU, as in BERT. What the published code inherits from BERT but never uses (word
embeddings of 41 million parameters, poolers) is left out.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from shared.types import NUM_JOINTS
from trainer.networks.attention import attend
from trainer.networks.dropout import Dropout

MAX_TOKENS = 512
"""Learned positions, as in BERT; joints, vertices and cells of the image must not be more."""

_INITIAL_SD = 0.02
_NORM_EPS = 1e-12


class EncoderSizes(NamedTuple):
    """Sizes of an encoder; the defaults are those of both papers.

    Attributes:
        hidden_dims: Size of a token inside each block.
        num_layers: Layers per block.
        num_heads: Attention heads.
        dropout: Share of activations that training drops.
    """

    hidden_dims: tuple[int, ...] = (1024, 256, 64)
    num_layers: int = 4
    num_heads: int = 4
    dropout: float = 0.1


class TokenEncoder(nn.Sequential):
    """Narrow the tokens of joints and vertices, and of image cells behind them, to three numbers each.

    With the default sizes, tokens of 2051 numbers become 512, 128 and 3 numbers after the three blocks.

    Args:
        input_dim: Size of an input token.
        sizes: Of the blocks.
        feedforward: Width of the feed-forward layers, relative to the block's.
        neighbours: Adds a graph convolution over the vertices to every layer of the last block.
        num_joints: Tokens before the vertices.
    """

    def __init__(
        self,
        input_dim: int,
        sizes: EncoderSizes,
        *,
        feedforward: int,
        neighbours: Bool[Tensor, "coarse coarse"] | None = None,
        num_joints: int = NUM_JOINTS,
    ) -> None:
        super().__init__()
        output_dims = (*(2 * hidden for hidden in sizes.hidden_dims[1:]), 3)
        for hidden, output_dim in zip(sizes.hidden_dims, output_dims, strict=True):
            layers = [
                _Layer(hidden, sizes.num_heads, feedforward * hidden, sizes.dropout)
                for _ in range(sizes.num_layers)
            ]
            self.append(_Block(input_dim, hidden, output_dim, layers=layers, dropout=sizes.dropout))
            input_dim = output_dim
        if neighbours is not None:
            for layer in layers:
                layer.graph = GraphResidual(sizes.hidden_dims[-1], neighbours, num_joints=num_joints)
        self.apply(_initialise)
        for module in self.modules():
            if isinstance(module, GraphResidual):
                module.start_as_published()


class GraphResidual(nn.Module):
    """A graph convolution over the vertices of a mesh, added to their tokens; others pass.

    Args:
        dim: Size of a token.
        neighbours: Which vertices mix, themselves included.
        num_joints: Tokens before the vertices, which pass.
    """

    mixing: Float[Tensor, "coarse coarse"]

    def __init__(self, dim: int, neighbours: Bool[Tensor, "coarse coarse"], *, num_joints: int) -> None:
        super().__init__()
        self.vertices = slice(num_joints, num_joints + len(neighbours))
        self.norms = nn.ModuleList(nn.LayerNorm(size, eps=_NORM_EPS) for size in (dim, dim // 2, dim // 2))
        self.narrow = nn.Linear(dim, dim // 2)
        self.convolution = nn.Linear(dim // 2, dim // 2)
        self.widen = nn.Linear(dim // 2, dim)
        mixing = neighbours.float() / neighbours.sum(dim=1, keepdim=True)
        self.register_buffer("mixing", mixing, persistent=False)
        self.start_as_published()

    def start_as_published(self) -> None:
        """Begin as Mesh Graphormer does: next to nothing at both ends, a wide convolution between."""
        for layer in (self.narrow, self.widen):
            _uniform(layer, 1 / (layer.in_features * layer.out_features))
        _uniform(self.convolution, 6 / (self.convolution.in_features + self.convolution.out_features) ** 0.5)

    def forward(self, tokens: Float[Tensor, "batch tokens dim"]) -> Float[Tensor, "batch tokens dim"]:
        """Mix each vertex with the mean of its neighbourhood."""
        before, vertices = tokens[:, : self.vertices.start], tokens[:, self.vertices]
        hidden = self.narrow(torch.relu(self.norms[0](vertices)))
        hidden = self.mixing @ self.convolution(torch.relu(self.norms[1](hidden)))
        change = self.widen(torch.relu(self.norms[2](hidden)))
        return torch.cat([before, vertices + change, tokens[:, self.vertices.stop :]], dim=1)


class _Block(nn.Module):
    """Layers between two linear maps, and a linear bypass."""

    def __init__(
        self, input_dim: int, hidden: int, output_dim: int, *, layers: list["_Layer"], dropout: float
    ) -> None:
        super().__init__()
        self.enter = nn.Linear(input_dim, hidden)
        self.positions = nn.Embedding(MAX_TOKENS, hidden)
        self.dropout = Dropout(dropout)
        self.layers = nn.Sequential(*layers)
        self.leave = nn.Linear(hidden, output_dim)
        self.bypass = nn.Linear(input_dim, output_dim)

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.dropout(self.enter(tokens) + self.positions.weight[: tokens.shape[1]])
        narrowed: Tensor = self.leave(self.layers(hidden)) + self.bypass(tokens)
        return narrowed


class _Layer(nn.Module):
    """A BERT layer, with room for a graph convolution between attention and feed-forward layers."""

    def __init__(self, dim: int, num_heads: int, feedforward_dim: int, dropout: float) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(dim, num_heads, dropout=dropout, batch_first=True)
        self.norm1 = nn.LayerNorm(dim, eps=_NORM_EPS)
        self.graph: nn.Module = nn.Identity()
        self.linear1 = nn.Linear(dim, feedforward_dim)
        self.linear2 = nn.Linear(feedforward_dim, dim)
        self.norm2 = nn.LayerNorm(dim, eps=_NORM_EPS)
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = self.norm1(tokens + self.dropout(attend(self.attention, tokens, tokens, tokens)))
        tokens = self.graph(tokens)
        hidden = self.linear2(functional.gelu(self.linear1(tokens)))
        finished: Tensor = self.norm2(tokens + self.dropout(hidden))
        return finished


def _uniform(layer: nn.Linear, limit: float) -> None:
    nn.init.uniform_(layer.weight, -limit, limit)
    nn.init.uniform_(layer.bias, -limit, limit)


def _initialise(module: nn.Module) -> None:
    """Start as BERT does."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=_INITIAL_SD)
    if isinstance(module, nn.Linear):
        nn.init.zeros_(module.bias)
    if isinstance(module, nn.MultiheadAttention):
        nn.init.normal_(module.in_proj_weight, std=_INITIAL_SD)
