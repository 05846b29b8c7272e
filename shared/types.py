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

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

NUM_JOINTS = 21

type Points3D = Float32[np.ndarray, "points 3"]
type Points2D = Float32[np.ndarray, "points 2"]


@dataclass(frozen=True, slots=True)
class WeakPerspective:
    """A scaled orthographic camera: ``ndc = scale * (xy + (tx, ty))``, depth has no effect.

    Attributes:
        scale: Ndc units per metre; positive.
        tx_m: Shift to the right before scaling, metres.
        ty_m: Shift downwards before scaling, metres.
    """

    scale: float
    tx_m: float
    ty_m: float


@dataclass(frozen=True, slots=True)
class Intrinsics:
    """A pinhole camera without skew, for an image of a stated size.

    Attributes:
        fx_px: Horizontal focal length.
        fy_px: Vertical focal length.
        cx_px: Column of the principal point; a pixel's centre is an integer.
        cy_px: Row of the principal point.
        width_px: Columns of the image.
        height_px: Rows of the image.
    """

    fx_px: float
    fy_px: float
    cx_px: float
    cy_px: float
    width_px: int
    height_px: int


type Camera = WeakPerspective | Intrinsics
