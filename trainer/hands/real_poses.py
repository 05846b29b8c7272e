"""Poses as real hands take them: the mean and the spread of people who show the digits from 0 to 9.

`tools/real_poses.py` summarised 1,655 fitted photographs of the Sign Language Digits Dataset (Apache-2.0).
"""

from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float

_FILE: Final = Path(__file__).with_name("real_poses.npz")
_WIDER: Final = 1.3
"""Other people's hands differ more than those of one school."""


class _Kinds(NamedTuple):
    means_deg: Float[np.ndarray, "kinds 25"]
    spreads_deg: Float[np.ndarray, "kinds 25 25"]


def sample_real(rng: np.random.Generator) -> Float[np.ndarray, "5 5"]:
    """Return the joint angles of a hand that shows a digit, as `trainer.hands.gestures` has them."""
    kinds = _kinds()
    kind = int(rng.integers(len(kinds.means_deg)))
    angles = kinds.means_deg[kind] + _WIDER * rng.standard_normal(25) @ kinds.spreads_deg[kind]
    hand: Float[np.ndarray, "5 5"] = angles.reshape(5, 5)
    return hand


@cache
def _kinds() -> _Kinds:
    with np.load(_FILE) as file:
        return _Kinds(file["means"].astype(float), file["spreads"].astype(float))
