"""FastMETRO's encoder-decoder: image tokens and a camera token are encoded, joints and vertices decoded.

Pre-norm layers with ReLU. Names of modules are those of FastMETRO's released weights, which follow DETR's.
Attention goes through `nn.MultiheadAttention`, whose weights `trainer.networks.attention` can record.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from trainer.networks.attention import attend, attend_alike
from trainer.networks.dropout import Dropout

_TEMPERATURE = 10000.0


class Encoded(NamedTuple):
    """What an encoder-decoder says about a batch of images.

    Attributes:
        camera: The camera token.
        image: The image tokens.
        points: The joint and vertex tokens; before the first decoder they are the same for all images, and
            there once.
    """

    camera: Float[Tensor, "batch 1 dim"]
    image: Float[Tensor, "batch cells dim"]
    points: Float[Tensor, "batch_or_1 points dim"]


class EncoderDecoder(nn.Module):
    """One of FastMETRO's two transformers.

    Args:
        dim: Size of a token.
        num_layers: Layers of the encoder, and of the decoder.
        num_heads: Attention heads.
        feedforward_dim: Size of the hidden layer after each attention.
        dropout: Share of activations and attention weights that training drops.
    """

    def __init__(
        self, dim: int, *, num_layers: int, feedforward_dim: int, num_heads: int = 8, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.encoder = _Encoder(dim, num_layers, num_heads, feedforward_dim, dropout)
        self.decoder = _Decoder(dim, num_layers, num_heads, feedforward_dim, dropout)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(
        self,
        tokens: Encoded,
        *,
        positions: Float[Tensor, "cells dim"],
        forbidden: Bool[Tensor, "points points"],
    ) -> Encoded:
        """Update all tokens.

        Args:
            tokens: Camera, image, and points before.
            positions: Added to queries and keys of image tokens; the camera token has no position.
            forbidden: True where a point must not look at another one.
        """
        nowhere = torch.zeros_like(positions[:1])
        memory = self.encoder(
            torch.cat([tokens.camera, tokens.image], dim=1), torch.cat([nowhere, positions], dim=0)
        )
        camera, image = memory[:, :1], memory[:, 1:]
        return Encoded(camera, image, self.decoder(tokens.points, image, positions, forbidden))


class _Encoder(nn.Module):
    def __init__(
        self, dim: int, num_layers: int, num_heads: int, feedforward_dim: int, dropout: float
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            _EncoderLayer(dim, num_heads, feedforward_dim, dropout) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(dim)

    def forward(self, tokens: Tensor, positions: Tensor) -> Tensor:
        for layer in self.layers:
            tokens = layer(tokens, positions)
        normed: Tensor = self.norm(tokens)
        return normed


class _Decoder(nn.Module):
    def __init__(
        self, dim: int, num_layers: int, num_heads: int, feedforward_dim: int, dropout: float
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            _DecoderLayer(dim, num_heads, feedforward_dim, dropout) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(dim)

    def forward(self, points: Tensor, image: Tensor, positions: Tensor, forbidden: Tensor) -> Tensor:
        for layer in self.layers:
            points = layer(points, image, positions, forbidden)
        normed: Tensor = self.norm(points)
        return normed


class _EncoderLayer(nn.Module):
    def __init__(self, dim: int, num_heads: int, feedforward_dim: int, dropout: float) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(dim, num_heads, dropout=dropout, batch_first=True)
        self.linear1 = nn.Linear(dim, feedforward_dim)
        self.linear2 = nn.Linear(feedforward_dim, dim)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)
        self.dropout = Dropout(dropout)

    def forward(self, tokens: Tensor, positions: Tensor) -> Tensor:
        values = self.norm1(tokens)
        located = values + positions
        tokens = tokens + self.dropout(attend(self.self_attn, located, located, values))
        hidden = self.dropout(torch.relu(self.linear1(self.norm2(tokens))))
        change: Tensor = self.dropout(self.linear2(hidden))
        return tokens + change


class _DecoderLayer(nn.Module):
    def __init__(self, dim: int, num_heads: int, feedforward_dim: int, dropout: float) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(dim, num_heads, dropout=dropout, batch_first=True)
        self.multihead_attn = nn.MultiheadAttention(dim, num_heads, dropout=dropout, batch_first=True)
        self.linear1 = nn.Linear(dim, feedforward_dim)
        self.linear2 = nn.Linear(feedforward_dim, dim)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)
        self.norm3 = nn.LayerNorm(dim)
        self.dropout = Dropout(dropout)

    def forward(self, points: Tensor, image: Tensor, positions: Tensor, forbidden: Tensor) -> Tensor:
        values, batch = self.norm1(points), image.shape[0]
        if points.shape[0] == batch:
            gathered = attend(self.self_attn, values, values, values, forbidden=forbidden)
        else:
            gathered = attend_alike(self.self_attn, values, batch=batch, forbidden=forbidden)
        points = points + self.dropout(gathered.expand(batch, -1, -1))
        queries = self.norm2(points)
        points = points + self.dropout(attend(self.multihead_attn, queries, image + positions, image))
        hidden = self.dropout(torch.relu(self.linear1(self.norm3(points))))
        change: Tensor = self.dropout(self.linear2(hidden))
        return points + change


def sine_positions(
    rows: int, columns: int, *, dim: int, device: torch.device | None = None
) -> Float[Tensor, "cells dim"]:
    """Return the place of every cell of a grid, row by row, as sines and cosines (DETR's, normalised).

    The first half of the channels says the row, the second the column; the last one of each is a full turn.
    """
    frequencies = torch.arange(dim // 4, device=device, dtype=torch.float32) * (4 / dim)
    wavelengths = _TEMPERATURE**frequencies

    def one_axis(cells: int) -> Tensor:
        steps = torch.arange(1, cells + 1, device=device, dtype=torch.float32) / cells * (2 * math.pi)
        angles = steps[:, None] / wavelengths
        return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)

    by_row = one_axis(rows)[:, None].expand(rows, columns, dim // 2)
    by_column = one_axis(columns)[None].expand(rows, columns, dim // 2)
    return torch.cat([by_row, by_column], dim=-1).flatten(0, 1)
