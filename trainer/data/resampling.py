"""One interpolation from a picture of any shape to the square that a network sees."""

import math

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from shared.seams.hand_finder import HandSquare

cv2.setNumThreads(1)  # the pictures are small; several processes load them

type Image = UInt8[np.ndarray, "height width 3"]

_REACH_PX = 2
"""How far beyond its outline interpolation looks."""


def sample_square(
    image: Image,
    linear: Float[np.ndarray, "2 2"],
    offset_px: Float[np.ndarray, "2"],
    *,
    size_px: int,
) -> Image:
    """Return a square whose pixel (u, v) shows the picture at ``linear @ (u, v) + offset_px``.

    It is black where it shows more than the picture. Where a pixel of the square stands for several of the
    picture, these are averaged first. Only what is shown is touched, so that huge pictures cost no more.
    """
    step = max(1, int(math.sqrt(abs(np.linalg.det(linear))) + 1e-6))
    corners = np.array([(0, 0), (size_px - 1, 0), (0, size_px - 1), (size_px - 1, size_px - 1)])
    seen = corners @ linear.T + offset_px
    limit = np.array(image.shape[1::-1])
    # Blocks are counted from the picture's corner, so that a pixel's average does not depend on the crop.
    first = np.clip((np.floor(seen.min(axis=0) / step) - _REACH_PX) * step, 0, limit).astype(int)
    last = np.clip((np.ceil(seen.max(axis=0) / step) + _REACH_PX) * step, 0, limit).astype(int)
    if (last <= first).any():
        return np.zeros((size_px, size_px, 3), np.uint8)
    part = np.ascontiguousarray(image[first[1] : last[1], first[0] : last[0]])
    full = np.array(part.shape[1::-1])
    if step > 1:
        part = cv2.resize(part, np.maximum(1, full // step).tolist(), interpolation=cv2.INTER_AREA)
    shrink = np.array(part.shape[1::-1]) / full
    matrix = np.column_stack((shrink[:, None] * linear, shrink * (offset_px - first + 0.5) - 0.5))
    warped = cv2.warpAffine(part, matrix, (size_px, size_px), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return np.asarray(warped, dtype=np.uint8)


def crop_square(image: Image, square: HandSquare, *, size_px: int) -> Image:
    """Return the square of a photograph that a place names, at the size that the network wants."""
    linear = square.size_px / size_px * turn_matrix(square.turn_rad)
    offset_px = np.array(square.centre_px) - linear @ np.full(2, (size_px - 1) / 2)
    return sample_square(image, linear, offset_px, size_px=size_px)


def turn_matrix(turn_rad: float) -> Float[np.ndarray, "2 2"]:
    """Return the rotation from x towards y, which is clockwise on the screen."""
    cos, sin = math.cos(turn_rad), math.sin(turn_rad)
    return np.array(((cos, -sin), (sin, cos)))
