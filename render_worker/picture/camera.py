"""From our conventions to Blender's, and the part of a picture that a hand can touch.

Blender looks along -z with y up, so a point (x, y, z) of ours is (x, -y, -z) there. Its camera is set from
the `shared.camera.lens.Lens` of ours, and tests compare the two pixel by pixel.
"""

from typing import Final

import numpy as np
from jaxtyping import Float32

from render_worker.picture.request import Box
from shared.camera import Camera, project_px
from shared.errors import RenderError

_TO_BLENDER: Final = np.array([1, -1, -1], dtype=np.float32)


def to_blender(points_m: Float32[np.ndarray, "points 3"]) -> Float32[np.ndarray, "points 3"]:
    """Convert from camera axes (x right, y down, z forward) to Blender's (x right, y up, z backward)."""
    return points_m * _TO_BLENDER


def hand_box(
    verts_m: Float32[np.ndarray, "verts 3"], camera: Camera, *, width_px: int, height_px: int
) -> Box:
    """Return the part of the picture that the hand can touch, antialiasing included.

    Raises:
        RenderError: The hand is not finite, behind the camera, or outside of the picture.
    """
    if not np.isfinite(verts_m).all():
        raise RenderError(
            "expected finite vertices, found NaN or infinity.",
            remedy="Look at the network's losses.",
        )
    camera.require_visible(verts_m)
    px = np.ascontiguousarray(project_px(verts_m, camera, size_px=width_px).T)
    low, high = px.min(axis=1), px.max(axis=1)
    if not np.isfinite([low, high]).all():
        raise RenderError(
            f"expected a finite camera, found {camera}.",
            remedy="Look at the network's losses.",
        )
    size = np.array([width_px, height_px])
    # A filter reaches less than a pixel further than the outline; one more is for rounding.
    first, last = np.clip(np.floor(low + 0.5) - 2, 0, size), np.clip(np.ceil(high + 0.5) + 2, 0, size)
    if not (low + 0.5 < size).all() or not (high + 0.5 > 0).all():
        raise RenderError(
            f"expected the hand in the picture, found it from {low.round()} to {high.round()} px.",
            remedy="Train longer before recycling.",
        )
    return Box(int(first[0]), int(first[1]), int(last[0]), int(last[1]))
