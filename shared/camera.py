"""Projection for both cameras: the single place where metres become pixels.

Blender's camera in render_worker is derived from the same two classes and is tested against these
functions, pixel by pixel.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from shared.types import Camera, Intrinsics, WeakPerspective


def ndc_to_px(ndc: Float[np.ndarray, "*points 2"], *, size_px: int) -> Float[np.ndarray, "*points 2"]:
    """Convert the unit square of a square image to pixels; (-1, -1) is the corner (-0.5, -0.5)."""
    return (ndc + 1) * (size_px / 2) - 0.5


def px_to_ndc(px: Float[np.ndarray, "*points 2"], *, size_px: int) -> Float[np.ndarray, "*points 2"]:
    """Convert pixels of a square image to its unit square; the inverse of `ndc_to_px`."""
    return (px + 0.5) * (2 / size_px) - 1


def project_px(
    points_m: Float[np.ndarray, "*points 3"], camera: Camera, *, size_px: int | None = None
) -> Float[np.ndarray, "*points 2"]:
    """Project points in camera axes to pixels.

    Args:
        points_m: Points; in front of the camera (z > 0) if it is a pinhole.
        camera: Either camera.
        size_px: Side of the square image; needed by, and only used for, a weak-perspective camera.
    """
    match camera:
        case WeakPerspective():
            assert size_px is not None, "a weak-perspective camera has no image size of its own"
            shift = np.array([camera.tx_m, camera.ty_m], dtype=points_m.dtype)
            return ndc_to_px(camera.scale * (points_m[..., :2] + shift), size_px=size_px)
        case Intrinsics():
            focal = np.array([camera.fx_px, camera.fy_px], dtype=points_m.dtype)
            centre = np.array([camera.cx_px, camera.cy_px], dtype=points_m.dtype)
            px: Float[np.ndarray, "*points 2"] = focal * points_m[..., :2] / points_m[..., 2:] + centre
            return px


def widen(camera: WeakPerspective, factor: float) -> WeakPerspective:
    """Return the camera of an image whose centre crop `factor` times smaller has the given camera.

    Example:
        >>> widen(WeakPerspective(scale=8.0, tx_m=0.01, ty_m=0.0), 224 / 180).scale
        6.428571428571429
    """
    return replace(camera, scale=camera.scale / factor)
