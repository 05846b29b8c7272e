"""How many twins each photograph gets where hard ones get more: those whose twins the network sees wrongly.

Nothing is known of a photograph without labels, but everything of its twin: the hand that was drawn. So the
error of the network in twins is exact, and what is hard about the twin is hard about the hand.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from shared.seeds import rng_of
from shared.twins.names import twin_name

MOST_SHARE: Final = 4.0
"""Twins of the hardest photographs, in those of one of middling difficulty; of the easiest, one by this."""


def most_twins(twins_per_photograph: int) -> int:
    """Return the largest number of twins that one photograph can get."""
    return math.ceil(MOST_SHARE**2 * twins_per_photograph)


def hard_twins(
    photographs: Sequence[str],
    recycled_mm: Mapping[str, float],
    *,
    twins_per_photograph: int,
    round_index: int,
    seed: int,
) -> tuple[str, ...]:
    """Return the twins to draw: as many as if all were equal, shared out by the errors of the network.

    Shares are proportional to the errors, which are first brought within a factor of four of their median, so
    that a single broken prediction does not take a round. A photograph whose error is not known counts as
    the median. Fractions are rounded at random, such that the sum stays.

    Args:
        photographs: Names of all that may have twins.
        recycled_mm: Known errors by name.
        twins_per_photograph: On average.
        round_index: Enters the seed.
        seed: Of the run.
    """
    known = np.array([recycled_mm.get(name, math.nan) for name in photographs])
    middle = float(np.nanmedian(known)) if np.isfinite(known).any() else 1.0
    weights = np.where(np.isfinite(known), known, middle) / max(middle, 1e-9)
    weights = weights.clip(1 / MOST_SHARE, MOST_SHARE)
    total = twins_per_photograph * len(photographs)
    # Systematic sampling: marks at equal distances on a line on which every photograph takes up its share.
    ends = np.cumsum(weights * total / weights.sum())
    offset = rng_of(seed, "hard", round_index).random()
    ends[-1] = total
    counts = np.diff(np.floor(np.insert(ends, 0, 0.0) + offset)).astype(int)
    return tuple(
        twin_name(name, copy)
        for name, count in zip(photographs, counts.tolist(), strict=True)
        for copy in range(count)
    )
