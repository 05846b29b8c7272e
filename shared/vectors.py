"""Directions in space."""

import math
from typing import Final

import numpy as np
from jaxtyping import Float

_SHORTEST: Final = 1e-12


def unit(vectors: Float[np.ndarray, "*vectors 3"]) -> Float[np.ndarray, "*vectors 3"]:
    """Return vectors of length one; those without a direction stay as short as they are."""
    if vectors.ndim == 1:  # a tenth of the time
        return np.asarray(vectors / max(math.sqrt(vectors @ vectors), _SHORTEST))
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, _SHORTEST))
