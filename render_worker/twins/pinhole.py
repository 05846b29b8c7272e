"""A predicted hand in front of a pinhole camera, which knows how far it is."""

from typing import Final

import numpy as np
from jaxtyping import Float32

from shared.errors import RenderError
from shared.freihand import LabelledHand
from shared.types import Camera, Intrinsics

_FOCAL_SIDES: Final = 2.1
"""Focal length in sides of the picture, as FreiHAND's cameras have it."""
_NUM_MANO: Final = 61


def before_pinhole(
    verts_m: Float32[np.ndarray, "verts 3"],
    joints_m: Float32[np.ndarray, "21 3"],
    camera: Camera,
    *,
    image_px: int,
) -> LabelledHand:
    """Return a hand where a pinhole camera shows its middle as another camera does: as large, and there.

    Nearer fingers look larger than they did; labels are exact for the camera that is returned. Hands of a
    pinhole camera stay as they are.

    Args:
        verts_m: Vertices, in the frame of the camera.
        joints_m: Joints, likewise.
        camera: That shows them.
        image_px: Side of the picture.

    Raises:
        RenderError: The camera shows no hand.
    """
    if not isinstance(camera, Intrinsics):
        if camera.scale <= 0:
            raise RenderError(
                f"expected a camera that magnifies, found a scale of {camera.scale:.3g}.",
                remedy="Train longer before recycling.",
            )
        middle_z_m = float(joints_m[:, 2].mean())
        depth_m = 2 * _FOCAL_SIDES / camera.scale
        move_m = np.array([camera.tx_m, camera.ty_m, depth_m - middle_z_m], np.float32)
        verts_m, joints_m = verts_m + move_m, joints_m + move_m
        focal_px, centre_px = _FOCAL_SIDES * image_px, (image_px - 1) / 2
        camera = Intrinsics(
            fx_px=focal_px,
            fy_px=focal_px,
            cx_px=centre_px,
            cy_px=centre_px,
            width_px=image_px,
            height_px=image_px,
        )
    return LabelledHand(
        index=0, verts_m=verts_m, joints_m=joints_m, camera=camera, mano=np.zeros(_NUM_MANO, np.float32)
    )
