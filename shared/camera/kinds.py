"""The kinds of camera there are, and what each of them must be able to do."""

from typing import Protocol

import numpy as np
from jaxtyping import Float

from shared.camera.lens import Lens
from shared.camera.pinhole import Intrinsics
from shared.camera.weak_perspective import WeakPerspective

type Camera = WeakPerspective | Intrinsics
"""Any camera. A new kind is added here, and lives in a file of its own."""


class CameraKind(Protocol):
    """What every kind of camera can do."""

    def project_px(
        self, points_m: Float[np.ndarray, "*points 3"], *, size_px: int | None
    ) -> Float[np.ndarray, "*points 2"]:
        """Project points in camera axes to pixels."""
        ...

    def require_visible(self, verts_m: Float[np.ndarray, "verts 3"]) -> None:
        """Refuse a hand that this kind of camera cannot see wherever it looks.

        Raises:
            RenderError: It cannot.
        """
        ...

    def lens(self, *, nearest_m: float, farthest_m: float) -> Lens:
        """Return the lens that projects alike, for a hand between two depths."""
        ...


def project_px(
    points_m: Float[np.ndarray, "*points 3"], camera: Camera, *, size_px: int | None = None
) -> Float[np.ndarray, "*points 2"]:
    """Project points in camera axes to pixels.

    A render is tested against this function, pixel by pixel.

    Args:
        points_m: Points; in front of the camera (z > 0) if it is a pinhole.
        camera: A camera of any kind.
        size_px: Side of the square image; needed by, and only used for, a weak-perspective camera.
    """
    kind: CameraKind = camera
    return kind.project_px(points_m, size_px=size_px)
