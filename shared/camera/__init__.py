"""Cameras, a file for each kind: where metres become pixels, and nowhere else.

A kind is a frozen dataclass with the methods of `shared.camera.kinds.CameraKind`, added to the union there.
"""

from shared.camera.kinds import Camera, project_px
from shared.camera.ndc import ndc_to_px, px_to_ndc
from shared.camera.pinhole import Intrinsics
from shared.camera.weak_perspective import WeakPerspective, project_weakly_ndc, widen

__all__ = [
    "Camera",
    "Intrinsics",
    "WeakPerspective",
    "ndc_to_px",
    "project_px",
    "project_weakly_ndc",
    "px_to_ndc",
    "widen",
]
