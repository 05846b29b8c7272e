"""Draws predicted hands over a photograph of any size."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int32
from PIL import Image

from shared.hand_places import Rgb
from shared.types import WeakPerspective
from trainer.overlay import HandInPicture, draw_mesh
from trainer.photographed_hand import PhotographedHand

_MARGIN_PX = 3


def draw_hands(
    rgb: Rgb, hands: Sequence[PhotographedHand], faces: Int32[np.ndarray, "faces 3"]
) -> Image.Image:
    """Return the photograph with the surfaces of the hands over it.

    Args:
        rgb: The photograph.
        hands: What was predicted for it; the first ones are drawn first.
        faces: Triangles of the right hand.
    """
    picture = Image.fromarray(rgb)
    for hand in hands:
        _draw(picture, hand, faces)
    return picture


def _draw(picture: Image.Image, hand: PhotographedHand, faces: Int32[np.ndarray, "faces 3"]) -> None:
    """Draw on the smallest square around the part of the hand that the picture shows, and put that back."""
    px = hand.project(hand.verts_m)
    if not np.isfinite(px).all():
        return
    limit = np.array(picture.size)
    low, high = np.floor(px.min(axis=0)) - _MARGIN_PX, np.ceil(px.max(axis=0)) + _MARGIN_PX + 1
    low, high = np.clip(low, 0, limit).astype(int), np.clip(high, 0, limit).astype(int)
    if (high <= low).any():
        return
    left, top = low.tolist()
    width, height = (high - low).tolist()
    side = max(width, height)
    square = picture.crop((left, top, left + side, top + side))
    seen = HandInPicture(hand.verts_m, hand.joints_m, _camera_of(hand, left, top, side), side)
    drawn = draw_mesh(square, seen, hand.faces(faces))
    picture.paste(drawn.crop((0, 0, width, height)), (left, top))


def _camera_of(hand: PhotographedHand, left_px: int, top_px: int, size_px: int) -> WeakPerspective:
    """Return the camera of a square part of the photograph."""
    scale = hand.scale_px_per_m * 2 / size_px
    x, y = hand.wrist_px
    tx_m, ty_m = ((place + 0.5 - size_px / 2) / hand.scale_px_per_m for place in (x - left_px, y - top_px))
    return WeakPerspective(scale=scale, tx_m=tx_m, ty_m=ty_m)
