"""The square around a hand, and the camera that belongs to it."""

import io
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Float32
from PIL import Image

from shared.camera import project_px
from shared.images import Rgb
from shared.seams.hand_finder import HandSquare
from shared.types import Intrinsics
from trainer.data.resampling import crop_square
from trainer.import_dataset.reader import LeftOut

CROP_PX: Final = 224
"""Side of every crop, as in FreiHAND."""

_QUALITY: Final = 95
_MIN_VISIBLE: Final = 0.5
"""Share of the vertices that must lie inside of the photograph, whether or not something hides them."""
MIN_SIDE_PX: Final = 32
"""Longer side of a hand, below which there is nothing to see."""


@dataclass(frozen=True, slots=True, eq=False)
class Crop:
    """What is stored of a photograph.

    Attributes:
        jpeg: The encoded square.
        mask_jpeg: The encoded silhouette, if it is known.
        camera: What projects the hand into the square.
    """

    jpeg: bytes
    mask_jpeg: bytes | None
    camera: Intrinsics


def mirrored_photograph(
    rgb: Rgb, intrinsics: Float[np.ndarray, "3 3"]
) -> tuple[Rgb, Float[np.ndarray, "3 3"]]:
    """Return a photograph in a mirror, and the camera that took it there."""
    in_mirror = intrinsics.copy()
    in_mirror[0, 2] = rgb.shape[1] - 1 - intrinsics[0, 2]
    return rgb[:, ::-1], in_mirror


def crop_hand(
    rgb: Rgb,
    intrinsics: Float[np.ndarray, "3 3"],
    verts_m: Float32[np.ndarray, "verts 3"],
    *,
    mask: Bool[np.ndarray, "height width"] | None,
    margin: float,
) -> Crop:
    """Cut out the square around a hand. Beyond the photograph it is black.

    Args:
        rgb: The photograph.
        intrinsics: Its camera matrix.
        verts_m: The hand in camera axes.
        mask: Pixels that show the hand.
        margin: Side of the square, in longer sides of the box around the projected vertices.

    Raises:
        LeftOut: The hand is behind the camera, mostly outside of the photograph, or tiny.
    """
    if verts_m[:, 2].min() <= 0:
        raise LeftOut("the hand is behind the camera")
    height, width = rgb.shape[:2]
    whole = _camera(intrinsics, width, height)
    px = project_px(verts_m.astype(np.float64), whole)
    low, high = px.min(axis=0), px.max(axis=0)
    inside = ((px >= -0.5) & (px <= np.array((width, height)) - 0.5)).all(axis=1)
    if inside.mean() < _MIN_VISIBLE:
        raise LeftOut("the hand is mostly outside of the photograph")
    if (high - low).max() < MIN_SIDE_PX:
        raise LeftOut(f"the hand is smaller than {MIN_SIDE_PX} pixels")
    box = (float(low[0]), float(low[1]), float(high[0] - low[0] + 1), float(high[1] - low[1] + 1))
    square = HandSquare.around_box(box, margin=margin, side="right")
    return Crop(
        jpeg=as_jpeg(crop_square(rgb, square, size_px=CROP_PX)),
        mask_jpeg=None if mask is None else as_jpeg(_cropped_mask(mask, square)),
        camera=_camera_of_square(whole, square),
    )


def places_in_crop(
    places_px: Float[np.ndarray, "points 2"], square: HandSquare
) -> Float[np.ndarray, "points 2"]:
    """Return where points of a photograph appear in its square, whose pixel u shows column step u + left."""
    step = square.size_px / CROP_PX
    corner_px = np.array(square.centre_px) - step * (CROP_PX - 1) / 2
    moved: Float[np.ndarray, "points 2"] = (places_px - corner_px) / step
    return moved


def _camera_of_square(camera: Intrinsics, square: HandSquare) -> Intrinsics:
    """Shift and scale a camera as `crop_square` does the picture."""
    step = square.size_px / CROP_PX
    left_px, top_px = (centre - step * (CROP_PX - 1) / 2 for centre in square.centre_px)
    return Intrinsics(
        fx_px=camera.fx_px / step,
        fy_px=camera.fy_px / step,
        cx_px=(camera.cx_px - left_px) / step,
        cy_px=(camera.cy_px - top_px) / step,
        width_px=CROP_PX,
        height_px=CROP_PX,
    )


def _camera(intrinsics: Float[np.ndarray, "3 3"], width_px: int, height_px: int) -> Intrinsics:
    fx_px, fy_px, cx_px, cy_px = (float(intrinsics[at]) for at in ((0, 0), (1, 1), (0, 2), (1, 2)))
    return Intrinsics(
        fx_px=fx_px, fy_px=fy_px, cx_px=cx_px, cy_px=cy_px, width_px=width_px, height_px=height_px
    )


def _cropped_mask(mask: Bool[np.ndarray, "height width"], square: HandSquare) -> Rgb:
    grey = np.repeat((255 * mask.astype(np.uint8))[:, :, None], 3, axis=2)
    return crop_square(grey, square, size_px=CROP_PX)


def as_jpeg(pixels: Rgb) -> bytes:
    """Encode a crop."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()
