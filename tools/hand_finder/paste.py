"""Puts a cut-out hand into a picture: as large as wanted, in its light, its arm leading out of it."""

from typing import Final

import cv2
import numpy as np
from jaxtyping import Float32

from render_worker.picture.camera_traces import cast_shadow
from render_worker.picture.skin_tone import seen_colour
from shared.colour import decode_srgb8, encode_srgb8, srgb_to_linear
from shared.images import Rgb
from tools.hand_finder.ingredients import Corners, Cutout

_TINT: Final = 0.2
"""How far, in powers, a hand's hue follows that of what is behind it."""
_SHADOW_SHARE: Final = 0.3
_LEAST_INSIDE: Final = 0.75
"""Share of a hand's box that is in the picture."""
_MOST_COVERED: Final = 0.3
"""Share of an earlier hand's box that a later hand and its arm may hide."""
_TRIES: Final = 6
_ENDS_INSIDE_SHARE: Final = 0.3
"""Of the arms that leave their tile: those that may end in the middle of the picture, as one behind a table
does."""


def paste_cutout(
    picture: Rgb,
    cutout: Cutout,
    others: list[Corners],
    rng: np.random.Generator,
    *,
    size_px: float,
    mirrored: bool,
) -> tuple[Rgb, Corners] | None:
    """Return the picture with the hand in it and the hand's box, or None where it found no room.

    Args:
        picture: What is behind.
        cutout: A right hand.
        others: Boxes that must stay visible.
        rng: Decides where it is, and its light.
        size_px: Longer side of its box in the picture.
        mirrored: Make a left hand of it.
    """
    scale = size_px / cutout.size_px
    rgba, box = cutout.rgba, cutout.box
    rows, columns = (max(2, round(scale * side)) for side in rgba.shape[:2])
    if mirrored:
        rgba = rgba[:, ::-1]
        box = (cutout.rgba.shape[1] - box[2], box[1], cutout.rgba.shape[1] - box[0], box[3])
    left, top, right, bottom = (scale * side for side in box)
    small = cv2.resize(
        np.ascontiguousarray(rgba),
        (columns, rows),
        interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC,
    )
    height, width = picture.shape[:2]
    for _ in range(_TRIES):
        x, y = _place(small[..., 3], (left, top, right, bottom), (width, height), rng)
        placed = (max(0.0, left + x), max(0.0, top + y), min(width, right + x), min(height, bottom + y))
        inside = _area(placed) / max((right - left) * (bottom - top), 1e-6)
        layer = _onto_canvas(small, (width, height), x, y)
        if inside >= _LEAST_INSIDE and all(_covered(layer[..., 3], box) < _MOST_COVERED for box in others):
            return _blend(picture, layer, cutout.tone, rng), placed
    return None


def _place(
    coverage: np.ndarray, box: Corners, size: tuple[int, int], rng: np.random.Generator
) -> tuple[int, int]:
    """Return where the tile's corner goes: arms that leave the tile leave the picture, mostly."""
    (width, height), (rows, columns) = size, coverage.shape
    left, top, right, bottom = box
    x = rng.uniform(-left, max(width - right, -left)) if right - left < width else (width - left - right) / 2
    y = (
        rng.uniform(-top, max(height - bottom, -top))
        if bottom - top < height
        else (height - top - bottom) / 2
    )
    if rng.random() < 0.12:  # a hand that is cut by the edge
        x, y = x + rng.normal() * 0.15 * (right - left), y + rng.normal() * 0.15 * (bottom - top)
    if rng.random() > _ENDS_INSIDE_SHARE:
        if coverage[-1].max() > 64:
            y = max(y, height - rows)
        if coverage[0].max() > 64:
            y = min(y, 0)
        if coverage[:, -1].max() > 64:
            x = max(x, width - columns)
        if coverage[:, 0].max() > 64:
            x = min(x, 0)
    return round(x), round(y)


def _onto_canvas(small: np.ndarray, size: tuple[int, int], x: int, y: int) -> np.ndarray:
    width, height = size
    canvas = np.zeros((height, width, 4), np.uint8)
    rows, columns = small.shape[:2]
    top, left, bottom, right = max(0, y), max(0, x), min(height, y + rows), min(width, x + columns)
    if bottom > top and right > left:
        canvas[top:bottom, left:right] = small[top - y : bottom - y, left - x : right - x]
    return canvas


def _blend(
    picture: Rgb, layer: np.ndarray, tone: tuple[float, float, float], rng: np.random.Generator
) -> Rgb:
    coverage: Float32[np.ndarray, "height width"] = layer[..., 3].astype(np.float32) / 255
    mean_rgb = tuple(float(value) / 255 for value in picture.mean(axis=(0, 1)))
    seen = seen_colour(tone, rng, background_rgb=(mean_rgb[0], mean_rgb[1], mean_rgb[2]))
    around = srgb_to_linear(np.array(mean_rgb)) + 0.02
    gains = (
        srgb_to_linear(np.array(seen)) / srgb_to_linear(np.array(tone)) * (around / around.mean()) ** _TINT
    )
    if rng.random() < _SHADOW_SHARE:
        angle, far_px = rng.uniform(0, 2 * np.pi), rng.uniform(2, 40)
        picture = cast_shadow(
            picture,
            coverage,
            offset_px=(float(far_px * np.cos(angle)), float(far_px * np.sin(angle))),
            blur_px=float(1 + far_px * rng.uniform(0.08, 0.5)),
            strength=float(rng.uniform(0.2, 0.7)),
        )
    light = decode_srgb8(layer[..., :3]) * gains.astype(np.float32)
    through = coverage[..., None]
    mixed = light * through + decode_srgb8(picture) * (1 - through)
    return encode_srgb8(mixed.clip(0, 1).astype(np.float32))


def _area(box: Corners) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def _covered(coverage: np.ndarray, box: Corners) -> float:
    left, top, right, bottom = map(round, box)
    part = coverage[top : max(bottom, top + 1), left : max(right, left + 1)]
    return float(part.mean()) / 255 if part.size else 0.0
