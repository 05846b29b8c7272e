"""The nouns that cross a process boundary, and the conventions that every module keeps.

    length   metres
    axes     OpenCV camera: x right, y down, z forward
    image    pixels; (0, 0) is the centre of the top-left pixel, so an image spans -0.5 to size - 0.5
    ndc      image coordinates scaled so that its edges are -1 and 1, y down; squares only
    colour   sRGB; uint8 in files, float in [0, 1] in memory; linear only inside the renderer
    joints   21, FreiHAND's order: wrist, thumb, index, middle, ring, little, each from base to tip
    hands    right

No PyTorch and no Blender here: a trainer and a render worker hand these objects to each other.
"""

from typing import Literal

import numpy as np
from jaxtyping import Float32

from shared.camera import Camera, Intrinsics, WeakPerspective

__all__ = [
    "NUM_JOINTS",
    "Camera",
    "Intrinsics",
    "Points2D",
    "Points3D",
    "Side",
    "WeakPerspective",
    "other_side",
]

NUM_JOINTS = 21

type Side = Literal["left", "right"]
"""Which hand it is."""

type Points3D = Float32[np.ndarray, "points 3"]
type Points2D = Float32[np.ndarray, "points 2"]


def other_side(side: Side) -> Side:
    """Return the hand that this one is not."""
    return "left" if side == "right" else "right"
