"""The numbers that options take: each has a least and a greatest value, and none is infinite or no number."""

import math
from typing import Any, Final

import click

from shared.ranges import LARGEST_COUNT, LARGEST_SEED


class WholeRange(click.IntRange):
    """A whole number between two bounds, which belong to it."""

    def __init__(self, least: int, most: int) -> None:
        super().__init__(least, most)


class FiniteRange(click.FloatRange):
    """A number between two bounds; NaN, which is neither below nor above any bound, is not.

    Args:
        least: Lower bound.
        most: Upper bound, which belongs to the range.
        above: The lower bound does not.
    """

    def __init__(self, least: float, most: float, *, above: bool = False) -> None:
        super().__init__(least, most, min_open=above)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read a number and check it."""
        number = float(super().convert(value, param, ctx))
        if math.isnan(number):
            self.fail(f"{value} is not in the range {self._describe_range()}.", param, ctx)
        return number


COUNT: Final = WholeRange(1, LARGEST_COUNT)
COUNT_OR_NONE: Final = WholeRange(0, LARGEST_COUNT)
SEED: Final = WholeRange(0, LARGEST_SEED)
SHARE: Final = FiniteRange(0, 1)
