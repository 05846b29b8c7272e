"""Where camera and light stand: from our conventions to Blender's, as plain numbers.

Blender looks along -z with y up, so a point (x, y, z) of ours is (x, -y, -z) there. Its camera is derived
from the same two classes that `shared.camera` projects with, and tests compare the two pixel by pixel.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from jaxtyping import Float32

from render_worker.picture.request import Box
from shared.camera import project_px
from shared.errors import RenderError
from shared.twins.sample import Light
from shared.types import Camera, Intrinsics, WeakPerspective

SENSOR_MM: Final = 36.0
_TO_BLENDER: Final = np.array([1, -1, -1], dtype=np.float32)
_CLEARANCE_M: Final = 0.05


@dataclass(frozen=True, slots=True)
class BlenderCamera:
    """The settings of a Blender camera with a horizontal sensor of `SENSOR_MM`, looking along -z.

    Attributes:
        kind: Blender's name of the projection.
        location_m: In Blender's axes.
        ortho_scale_m: Width of the picture, for an orthographic camera.
        lens_mm: Focal length, for a perspective one.
        shift_x: To the right, in picture widths.
        shift_y: Upwards, in picture widths.
        pixel_aspect: Height of a pixel divided by its width.
        clip_m: Nearest and farthest depth that is drawn.
    """

    kind: Literal["ORTHO", "PERSP"]
    location_m: tuple[float, float, float]
    ortho_scale_m: float
    lens_mm: float
    shift_x: float
    shift_y: float
    pixel_aspect: float
    clip_m: tuple[float, float]


def to_blender(points_m: Float32[np.ndarray, "points 3"]) -> Float32[np.ndarray, "points 3"]:
    """Convert from camera axes (x right, y down, z forward) to Blender's (x right, y up, z backward)."""
    return points_m * _TO_BLENDER


def place_camera(camera: Camera, *, nearest_m: float, farthest_m: float) -> BlenderCamera:
    """Return the Blender camera that projects as ours does.

    Args:
        camera: Ours.
        nearest_m: Least depth of the hand; a weak-perspective camera may be given any, even negative ones.
        farthest_m: Greatest depth of the hand.
    """
    match camera:
        case WeakPerspective():
            stand_m = nearest_m - 2 * _CLEARANCE_M
            return BlenderCamera(
                kind="ORTHO",
                location_m=(-camera.tx_m, camera.ty_m, -stand_m),
                ortho_scale_m=2 / camera.scale,
                lens_mm=50.0,
                shift_x=0.0,
                shift_y=0.0,
                pixel_aspect=1.0,
                clip_m=(_CLEARANCE_M, farthest_m - stand_m + _CLEARANCE_M),
            )
        case Intrinsics():
            aspect = camera.fx_px / camera.fy_px
            return BlenderCamera(
                kind="PERSP",
                location_m=(0.0, 0.0, 0.0),
                ortho_scale_m=1.0,
                lens_mm=camera.fx_px * SENSOR_MM / camera.width_px,
                shift_x=((camera.width_px - 1) / 2 - camera.cx_px) / camera.width_px,
                shift_y=(camera.cy_px - (camera.height_px - 1) / 2) * aspect / camera.width_px,
                pixel_aspect=aspect,
                clip_m=(nearest_m / 2, farthest_m + _CLEARANCE_M),
            )


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
    if isinstance(camera, Intrinsics) and verts_m[:, 2].min() <= 0:
        raise RenderError(
            f"expected the hand in front of the camera, found depth {verts_m[:, 2].min():.3f} m.",
            remedy="Check that the vertices are in camera axes.",
        )
    if isinstance(camera, WeakPerspective) and not 0 < camera.scale < np.inf:
        raise RenderError(
            f"expected a positive scale, found {camera.scale}.",
            remedy="Look at the network's camera.",
        )
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


def choose_light(rng: np.random.Generator) -> Light:
    """Return a light as it falls on a hand in a room: mostly from above, from the camera's side.

    The paper does not say how its hands were lit.
    """
    towards = np.array([rng.uniform(-0.9, 0.9), rng.uniform(-1.1, 0.3), -rng.uniform(0.5, 1.3)])
    x, y, z = (float(value) for value in towards / np.linalg.norm(towards))
    fill = float(rng.uniform(0.25, 0.5))
    return Light(direction=(x, y, z), angle_deg=float(rng.uniform(3.0, 12.0)), key=1.0 - fill, fill=fill)
