"""What is behind hands, or instead of them: places, parts of photographs beside the hand, plain walls."""

from typing import Final

import cv2
import numpy as np

from shared.images import Rgb
from tools.hand_finder.ingredients import Ingredients

_MARGIN: Final = 0.06
"""Between a hand's box and what counts as hand-free, as a share of the photograph."""
_LEAST_STRIP: Final = 0.22
"""Of the photograph: narrower strips beside a hand would be a blur."""


def behind(ingredients: Ingredients, size: tuple[int, int], rng: np.random.Generator) -> Rgb:
    """Return any of them, columns and rows as in `size`."""
    kind = int(rng.choice(3, p=(0.52, 0.36, 0.12)))
    return (place, hand_free, plain)[kind](ingredients, size, rng)


def place(ingredients: Ingredients, size: tuple[int, int], rng: np.random.Generator) -> Rgb:
    """Return a part of a place without people, its colours a little off."""
    rgb = ingredients.place(rng)
    if rng.random() < 0.5:
        rgb = rgb[:, ::-1]
    return _off_colour(_part(rgb, size, rng), rng)


def hand_free(ingredients: Ingredients, size: tuple[int, int], rng: np.random.Generator) -> Rgb:
    """Return what a photograph shows beside its hand: rooms, clutter, sleeves, at times a face."""
    for _ in range(4):
        photograph = ingredients.photograph(rng)
        height, width = photograph.rgb.shape[:2]
        left, top, right, bottom = photograph.box
        strips = (
            photograph.rgb[:, : max(0, int(left - _MARGIN * width))],
            photograph.rgb[:, int(right + _MARGIN * width) :],
            photograph.rgb[: max(0, int(top - _MARGIN * height))],
            photograph.rgb[int(bottom + _MARGIN * height) :],
        )
        widest = max(strips, key=lambda strip: strip.size)
        if min(widest.shape[0] / height, widest.shape[1] / width) >= _LEAST_STRIP:
            return _part(widest, size, rng)
    return place(ingredients, size, rng)


def plain(ingredients: Ingredients, size: tuple[int, int], rng: np.random.Generator) -> Rgb:
    """Return a wall in the colours of a place, lit from a side."""
    colours = ingredients.place(rng).reshape(-1, 3)
    corners = colours[rng.integers(len(colours), size=4)].reshape(2, 2, 3).astype(np.float32)
    mean = corners.mean(axis=(0, 1))
    wall = cv2.resize(mean + rng.uniform(0, 0.5) * (corners - mean), size, interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.3:  # photographs for a shop
        wall = 255 - 0.15 * wall
    return np.asarray(wall.clip(0, 255), np.uint8)


def _part(rgb: Rgb, size: tuple[int, int], rng: np.random.Generator) -> Rgb:
    """Return a random part of the wanted shape."""
    width, height = size
    rows, columns = rgb.shape[:2]
    largest = min(columns / width, rows / height)
    scale = largest * float(rng.uniform(0.6, 1.0))
    across, down = max(2, int(width * scale)), max(2, int(height * scale))
    x, y = int(rng.integers(columns - across + 1)), int(rng.integers(rows - down + 1))
    part = np.ascontiguousarray(rgb[y : y + down, x : x + across])
    method = cv2.INTER_AREA if scale > 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(part, size, interpolation=method), np.uint8)


def _off_colour(rgb: Rgb, rng: np.random.Generator) -> Rgb:
    """Return the picture with another contrast, and at times another hue: there are few places."""
    gains = np.exp(rng.normal(0, 0.12, 3)) * np.exp(rng.normal(0, 0.25))
    shown = np.asarray((rgb * gains).clip(0, 255), np.uint8)
    if rng.random() < 0.25:
        hsv = cv2.cvtColor(shown, cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0].astype(int) + int(rng.integers(180))) % 180
        shown = np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), np.uint8)
    return shown
