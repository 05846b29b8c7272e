"""Dropout whose random numbers cost a processor little.

PyTorch draws a number of 32 bits for every activation, one after the other: an eighth of a step of
FastMETRO-S on one core. Sixteen bits say as much, and come from a faster generator, seeded by PyTorch's own:
so runs are as reproducible as with PyTorch's dropout, and resume to the same bits.
"""

import numpy as np
import torch
from jaxtyping import Float, Int16
from torch import Tensor, nn
from torch.nn import functional

LEVELS = 2**16


class Dropout(nn.Dropout):
    """Drops a share of activations in training, as `torch.nn.Dropout` does."""

    def forward(self, input: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Return the activations that are left, raised so that their mean stays."""
        return drop(input, self.p) if self.training else input


def drop(values: Float[Tensor, "*shape"], share: float) -> Float[Tensor, "*shape"]:
    """Return the values with a share of them at zero, and the others raised so that the mean stays.

    On a processor the share is rounded to a multiple of 1 / 65,536.
    """
    if not is_slow(values):
        return functional.dropout(values, share)
    num_dropped = round(share * LEVELS)
    if num_dropped == 0:
        return values
    keep = _draw(values.shape) >= num_dropped - LEVELS // 2
    # Numbers, which the backward pass reuses: PyTorch would turn truths into numbers each time.
    return values * keep.to(values.dtype).mul_(LEVELS / (LEVELS - num_dropped))


def is_slow(values: Tensor) -> bool:
    """Whether PyTorch would drop slowly: on a processor, unless it compiles the network."""
    return values.device.type == "cpu" and not torch.compiler.is_compiling()


def _draw(shape: torch.Size) -> Int16[Tensor, "*shape"]:
    seed = int(torch.randint(2**63 - 1, ()))
    num_words = -(-shape.numel() // 4)
    draws = torch.from_numpy(np.random.SFC64(seed).random_raw(num_words).view(np.int16))
    return draws[: shape.numel()].view(shape)
