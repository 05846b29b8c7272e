"""Draws predicted hands over a photograph of any size."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int32
from PIL import Image

from shared.images import Rgb
from trainer.drawing.overlay import HandInPicture, draw_mesh
from trainer.photographs.hand import PhotographedHand

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
    seen = HandInPicture(hand.verts_m, hand.joints_m, hand.camera_of_square(left, top, side), side)
    drawn = draw_mesh(square, seen, hand.faces(faces))
    picture.paste(drawn.crop((0, 0, width, height)), (left, top))
