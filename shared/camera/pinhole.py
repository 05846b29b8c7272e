"""The pinhole camera of data sets with known intrinsics."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from shared.camera.lens import CLEARANCE_M, Lens
from shared.errors import RenderError


@dataclass(frozen=True, slots=True, kw_only=True)
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

    def project_px(
        self, points_m: Float[np.ndarray, "*points 3"], *, size_px: int | None
    ) -> Float[np.ndarray, "*points 2"]:
        """Project points in front of the camera to pixels; the image has the size that the camera states."""
        del size_px
        focal_px = np.array([self.fx_px, self.fy_px], dtype=points_m.dtype)
        centre_px = np.array([self.cx_px, self.cy_px], dtype=points_m.dtype)
        px: Float[np.ndarray, "*points 2"] = focal_px * points_m[..., :2] / points_m[..., 2:] + centre_px
        return px

    def require_visible(self, verts_m: Float[np.ndarray, "verts 3"]) -> None:
        """Refuse a hand that is not in front of the camera.

        Raises:
            RenderError: A vertex is beside or behind the camera.
        """
        if verts_m[:, 2].min() <= 0:
            raise RenderError(
                f"expected the hand in front of the camera, found depth {verts_m[:, 2].min():.3f} m.",
                remedy="Check that the vertices are in camera axes.",
            )

    def lens(self, *, nearest_m: float, farthest_m: float) -> Lens:
        """Return the lens that projects alike, for a hand between two depths."""
        aspect = self.fx_px / self.fy_px
        return Lens(
            kind="perspective",
            focal_widths=self.fx_px / self.width_px,
            shift_right=((self.width_px - 1) / 2 - self.cx_px) / self.width_px,
            shift_down=((self.height_px - 1) / 2 - self.cy_px) * aspect / self.width_px,
            pixel_aspect=aspect,
            clip_m=(nearest_m / 2, farthest_m + CLEARANCE_M),
        )
