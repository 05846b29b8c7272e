"""A running mean of a network's weights: steadier than any single step's, and better at a constant rate."""

import copy

import torch
from torch import Tensor

from trainer.networks.base import HandNetwork


class WeightAverage:
    """A second network whose weights and batch statistics are a running mean of those of the one that learns.

    Early on the mean is over few steps, as weights that have learnt nothing must not count for long: the
    decay of step n is at most ``(1 + n) / (10 + n)``.

    Args:
        learning: The network that learns; its weights now are the first of the mean.
        decay: Share of the mean that stays in a step; 0.998 averages over about 500 steps.

    Attributes:
        network: The mean, in evaluation mode, on the same device.
    """

    def __init__(self, learning: HandNetwork, *, decay: float) -> None:
        self.network = copy.deepcopy(learning).requires_grad_(False).eval()
        self._decay = decay
        self._means, self._values = self._pairs(learning, floating=True)
        self._copies, self._originals = self._pairs(learning, floating=False)

    @torch.no_grad()
    def after_step(self, number: int) -> None:
        """Take in the weights of the network that learns.

        Args:
            number: Of the step in the run, from 0.
        """
        decay = min(self._decay, (1 + number) / (10 + number))
        torch._foreach_lerp_(self._means, self._values, 1 - decay)
        for mean, original in zip(self._copies, self._originals, strict=True):
            mean.copy_(original)

    def _pairs(self, learning: HandNetwork, *, floating: bool) -> tuple[list[Tensor], list[Tensor]]:
        """Return the tensors of the mean and of the network that learns; counts are no floating numbers."""
        means, values = self.network.state_dict(), learning.state_dict()
        names = [name for name, value in values.items() if value.is_floating_point() == floating]
        return [means[name] for name in names], [values[name] for name in names]
