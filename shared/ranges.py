"""Numbers of configurations and of stored records, each within bounds that can be computed with.

A number without bounds may be NaN, infinite, or so large that what it counts fills a machine's memory. This
module loads next to nothing, for the sake of `meshcycle --help`.
"""

from typing import Annotated, Final

from annotated_types import Interval

LARGEST_SEED: Final = (1 << 63) - 1
"""TOML has no larger integers."""
LARGEST_COUNT: Final = 10_000_000

type Count = Annotated[int, Interval(ge=1, le=LARGEST_COUNT)]
"""How many there are of something."""
type Seed = Annotated[int, Interval(ge=0, le=LARGEST_SEED)]
"""Decides random choices."""
type Share = Annotated[float, Interval(ge=0, le=1)]
"""A part of a whole, or a probability."""
type Weight = Annotated[float, Interval(ge=0, le=1e6)]
"""Of a term in a sum; 0 leaves it out."""
