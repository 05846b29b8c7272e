"""The scaled orthographic camera that networks predict: ``ndc = scale * (xy + (tx, ty))``."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from shared.camera.lens import CLEARANCE_M, Lens
from shared.camera.ndc import ndc_to_px
from shared.errors import RenderError


@dataclass(frozen=True, slots=True)
class WeakPerspective:
    """A scaled orthographic camera of a square image; depth has no effect.

    Attributes:
        scale: Ndc units per metre; positive.
        tx_m: Shift to the right before scaling, metres.
        ty_m: Shift downwards before scaling, metres.
    """

    scale: float
    tx_m: float
    ty_m: float

    def project_px(
        self, points_m: Float[np.ndarray, "*points 3"], *, size_px: int | None
    ) -> Float[np.ndarray, "*points 2"]:
        """Project points in camera axes to pixels of an image of the given side."""
        assert size_px is not None, "a weak-perspective camera has no image size of its own"
        shift_m = np.array([self.tx_m, self.ty_m], dtype=points_m.dtype)
        return ndc_to_px(self.scale * (points_m[..., :2] + shift_m), size_px=size_px)

    def require_visible(self, verts_m: Float[np.ndarray, "verts 3"]) -> None:
        """Refuse a scale that turns the picture around, or makes a point of it; the depth does not matter.

        Raises:
            RenderError: The scale is not positive and finite.
        """
        del verts_m
        if not 0 < self.scale < np.inf:
            raise RenderError(
                f"expected a positive scale, found {self.scale}.",
                remedy="Look at the network's camera.",
            )

    def lens(self, *, nearest_m: float, farthest_m: float) -> Lens:
        """Return the lens that projects alike; the depths of the hand may be any, even negative ones."""
        z_m = nearest_m - 2 * CLEARANCE_M
        return Lens(
            kind="orthographic",
            width_m=2 / self.scale,
            location_m=(-self.tx_m, -self.ty_m, z_m),
            clip_m=(CLEARANCE_M, farthest_m - z_m + CLEARANCE_M),
        )


def project_weakly_ndc(
    points_m: Float[np.ndarray, "hands points 3"], cameras: Float[np.ndarray, "hands 3"]
) -> Float[np.ndarray, "hands points 2"]:
    """Project many hands, each with a camera of its own, to ndc.

    Args:
        points_m: Points in camera axes.
        cameras: scale, tx_m, ty_m of each hand's camera.

    Example:
        >>> project_weakly_ndc(np.array([[[0.1, 0.0, 9.0]]]), np.array([[5.0, 0.02, 0.0]])).round(6)
        array([[[0.6, 0. ]]])
    """
    scales, shifts_m = cameras[:, None, :1], cameras[:, None, 1:]
    ndc: Float[np.ndarray, "hands points 2"] = scales * (points_m[..., :2] + shifts_m)
    return ndc


def widen(camera: WeakPerspective, factor: float) -> WeakPerspective:
    """Return the camera of an image whose centre crop `factor` times smaller has the given camera.

    Example:
        >>> widen(WeakPerspective(scale=8.0, tx_m=0.01, ty_m=0.0), 224 / 180).scale
        6.428571428571429
    """
    return replace(camera, scale=camera.scale / factor)
