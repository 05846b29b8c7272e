"""Held-out scores of several sources: those of each, and the means by which models are selected."""

import math
from collections.abc import Mapping, Sequence

type MeanScores = Mapping[str, float]


def joined_scores(scores: Mapping[str, MeanScores], shares: Sequence[float]) -> dict[str, float]:
    """Return the means over the sources, weighted with their shares of training, and then those of each.

    Args:
        scores: By source, with the same names each.
        shares: Of the sources, in the same order; those of sources that are not scored are missing.

    Returns:
        ``pa_mpjpe_mm`` and so on, and ``realhands/pa_mpjpe_mm`` and so on for a source of that name; of a
        single source only the former, as they are.
    """
    each = list(scores.values())
    if len(each) == 1:
        return dict(each[0])
    whole = math.fsum(shares)
    joined = {
        name: math.fsum(share * own[name] for share, own in zip(shares, each, strict=True)) / whole
        for name in each[0]
    }
    for source, own in scores.items():
        joined |= {f"{source}/{name}": value for name, value in own.items()}
    return joined


def scores_by_source(scores: MeanScores, name: str) -> dict[str, float]:
    """Return one of the joined scores by source; nothing where there was a single source."""
    return {source: value for key, value in scores.items() if (source := key.removesuffix(f"/{name}")) != key}
