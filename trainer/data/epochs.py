"""How much of an epoch each source gives, and which of its photographs: arithmetic without a state.

A source goes round its photographs in passes, each in an order of its own, whatever an epoch takes of it. So
all of its photographs are shown equally often, at most one showing apart.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from shared.errors import ConfigError
from shared.seeds import rng_of


@dataclass(frozen=True, slots=True)
class EpochPart:
    """What a source gives to every epoch.

    Attributes:
        source: Its name, which enters the seed of its orders.
        photographs: Those to learn from, at least one.
        num_samples: Of the source in an epoch.
        twins: Whether its photographs have twins.
    """

    source: str
    photographs: Sequence[int]
    num_samples: int
    twins: bool = True

    def samples(self, epoch: int, *, seed: int) -> Iterator[tuple[int, int]]:
        """Yield the photographs of an epoch, in an order that does not matter because epochs are shuffled.

        Yields:
            Number of a photograph, and how often it was shown before: with one source, the epoch.
        """
        length = len(self.photographs)
        start, stop = epoch * self.num_samples, (epoch + 1) * self.num_samples
        for showing in range(start // length, -(-stop // length)):
            first, last = max(0, start - showing * length), min(length, stop - showing * length)
            rows: Sequence[int] = range(length)
            if last - first < length:
                order = rng_of(seed, "showing", showing, self.source).permutation(length)
                rows = order[first:last].tolist()
            for row in rows:
                yield self.photographs[row], showing


def apportioned(total: int, shares: Sequence[float]) -> tuple[int, ...]:
    """Divide a number of samples by shares that sum to 1; the largest remainders are rounded up."""
    exact = [total * share for share in shares]
    parts = [math.floor(each + 1e-6) for each in exact]
    remainders = np.array(exact) - parts
    for row in np.argsort(-remainders, kind="stable")[: total - sum(parts)].tolist():
        parts[row] += 1
    return tuple(parts)


def divide_epoch(num_samples: int, shares: Sequence[float], names: Sequence[str]) -> tuple[int, ...]:
    """Return how many samples of an epoch each source gives.

    Raises:
        ConfigError: A source gives none, because its share is too small.
    """
    parts = apportioned(num_samples, shares)
    for name, part in zip(names, parts, strict=True):
        if part == 0:
            raise ConfigError(
                f"data.sources: expected a sample of {name} in every epoch, found none among {num_samples}.",
                remedy="Raise its share, or data.epoch_samples.",
            )
    return parts
