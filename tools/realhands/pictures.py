"""Makes the pictures of the data set: the enlarged photograph, the mesh's silhouette, and the skin."""

import io
from typing import Final

import cv2
import numpy as np
from jaxtyping import Bool, Float64, Int32, UInt8
from PIL import Image

from shared.errors import DatasetError

SIZE_PX: Final = 224
_PHOTO_QUALITY: Final = 92
_MASK_QUALITY: Final = 70
_FINER: Final = 4
"""Silhouettes are drawn so many times larger, then averaged."""
_FRACTION_BITS: Final = 4
"""OpenCV draws at whole multiples of 1/16 of a pixel."""


def enlarge(original: bytes, *, pad_px: int, where: str) -> UInt8[np.ndarray, "size size 3"]:
    """Decode a photograph and bring it to the size of the data set.

    Args:
        original: The file.
        pad_px: The outermost pixels are repeated so often on every side before.
        where: Names the photograph in errors.

    Raises:
        DatasetError: It cannot be decoded.
    """
    try:
        with Image.open(io.BytesIO(original)) as picture:
            pixels = np.asarray(picture.convert("RGB"))
    except (OSError, SyntaxError) as error:
        raise DatasetError(f"{where}: expected a photograph, found {error}. Clone again.") from error
    padded = np.pad(pixels, ((pad_px, pad_px), (pad_px, pad_px), (0, 0)), mode="edge")
    return np.asarray(Image.fromarray(padded).resize((SIZE_PX, SIZE_PX), Image.Resampling.LANCZOS))


def silhouette(
    points_px: Float64[np.ndarray, "verts 2"], faces: Int32[np.ndarray, "faces 3"]
) -> UInt8[np.ndarray, "size size"]:
    """Return how much of each pixel the projected mesh covers, 0 to 255; it ends at the wrist.

    Args:
        points_px: Vertices in the image; (0, 0) is the centre of the top-left pixel.
        faces: Triangles, in whatever direction.
    """
    fine_px = (points_px + 0.5) * _FINER - 0.5
    corners = np.rint(fine_px * (1 << _FRACTION_BITS)).astype(np.int32)[faces]
    fine = np.zeros((SIZE_PX * _FINER, SIZE_PX * _FINER), np.uint8)
    for triangle in corners:
        cv2.fillConvexPoly(fine, triangle, 255, cv2.LINE_8, _FRACTION_BITS)
    return cv2.resize(fine, (SIZE_PX, SIZE_PX), interpolation=cv2.INTER_AREA).astype(np.uint8)


def skin_of(rgb: UInt8[np.ndarray, "height width 3"]) -> Bool[np.ndarray, "height width"]:
    """Tell hand and forearm from a plain background by how red and yellow they are.

    The largest piece is kept. Dark nail polish is not taken for skin.
    """
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    warmth = lab[..., 1] + lab[..., 2]
    span = max(float(np.ptp(warmth)), 1.0)
    levels = ((warmth - warmth.min()) * (255 / span)).astype(np.uint8)
    _, warm = cv2.threshold(cv2.GaussianBlur(levels, (5, 5), 0), 0, 1, cv2.THRESH_OTSU)
    opened = cv2.morphologyEx(warm, cv2.MORPH_OPEN, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3)))
    pieces, labels, statistics, _ = cv2.connectedComponentsWithStats(opened.astype(np.uint8))
    if pieces < 2:
        return np.zeros(rgb.shape[:2], bool)
    return np.asarray(labels == 1 + np.argmax(statistics[1:, cv2.CC_STAT_AREA]))


def photograph_jpeg(rgb: UInt8[np.ndarray, "height width 3"]) -> bytes:
    """Encode an enlarged photograph."""
    return _encode(Image.fromarray(rgb), "JPEG", quality=_PHOTO_QUALITY)


def mask_jpeg(coverage: UInt8[np.ndarray, "height width"]) -> bytes:
    """Encode a silhouette; its edges ring, so readers take 127 as threshold."""
    return _encode(Image.fromarray(coverage), "JPEG", quality=_MASK_QUALITY)


def skin_png(skin: Bool[np.ndarray, "height width"]) -> bytes:
    """Encode a segmentation at one bit a pixel."""
    return _encode(Image.fromarray(skin), "PNG", optimize=True)


def _encode(picture: Image.Image, codec: str, **options: int) -> bytes:
    file = io.BytesIO()
    picture.save(file, codec, **options)
    return file.getvalue()
