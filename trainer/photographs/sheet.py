"""A sheet of predicted hands: the photograph with its square, the mesh over it, and from two other sides."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from PIL import Image, ImageDraw
from scipy.spatial.transform import Rotation

from shared.hand_model import HandModel
from shared.images import Rgb
from shared.seams.hand_finder import HandSquare
from shared.types import WeakPerspective
from trainer.data.resampling import crop_square, turn_matrix
from trainer.drawing.contact_sheet import TILE_PX, Panel, Strip, draw_contact_sheet
from trainer.drawing.overlay import HandInPicture, draw_mesh
from trainer.photographs.hand import PhotographedHand
from trainer.photographs.overlay import draw_hands

HEADINGS: Final = ("photograph", "prediction", "from its right", "from behind")
_AROUND: Final = 1.25
"""Side of what a tile shows, in sides of the square that the network saw."""
_TURNS_DEG: Final = (90, 180)
_PAPER: Final = (246, 246, 243)
_FRAME: Final = (255, 186, 44)
_ROOM: Final = 0.85


class SheetHand(NamedTuple):
    """A predicted hand, its photograph, and what is written below them."""

    rgb: Rgb
    hand: PhotographedHand
    caption: str


def draw_hand_sheet(hands: Sequence[SheetHand], hand_model: HandModel, *, title: str) -> Image.Image:
    """Return the sheet, a strip for every hand."""
    strips = [_strip(each, hand_model) for each in hands]
    return draw_contact_sheet(strips, hand_model.faces, title=title, headings=HEADINGS, columns=2)


def _strip(each: SheetHand, hand_model: HandModel) -> Strip:
    square = each.hand.square
    around = HandSquare(centre_px=square.centre_px, size_px=_AROUND * square.size_px, side=square.side)
    photograph = Image.fromarray(crop_square(each.rgb, around, size_px=TILE_PX))
    _outline(photograph, square.turn_rad)
    drawn = np.asarray(draw_hands(each.rgb, [each.hand], hand_model.faces))
    panels = [Panel(np.asarray(photograph)), Panel(crop_square(drawn, around, size_px=TILE_PX))]
    panels += [Panel(_turned(each.hand, hand_model, turn_deg)) for turn_deg in _TURNS_DEG]
    return Strip(each.caption, tuple(panels))


def _outline(tile: Image.Image, turn_rad: float) -> None:
    """Draw what the network saw: a square in the middle, turned as it was."""
    half_px = TILE_PX / _AROUND / 2
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]) * half_px @ turn_matrix(turn_rad).T
    places = [(float(x), float(y)) for x, y in corners + (TILE_PX - 1) / 2]
    ImageDraw.Draw(tile).line(places, fill=_FRAME, width=2)


def _turned(hand: PhotographedHand, hand_model: HandModel, turn_deg: float) -> Rgb:
    """Draw the mesh alone, turned about the vertical through its middle."""
    middle_m = (hand.verts_m.min(axis=0) + hand.verts_m.max(axis=0)) / 2
    turn = Rotation.from_rotvec([0, turn_deg, 0], degrees=True)
    verts_m, joints_m = (turn.apply(points - middle_m) for points in (hand.verts_m, hand.joints_m))
    scale = _ROOM / max(float(np.abs(verts_m[:, :2]).max()), 1e-3)
    seen = HandInPicture(verts_m, joints_m, WeakPerspective(scale, 0.0, 0.0), TILE_PX)
    paper = Image.new("RGB", (TILE_PX, TILE_PX), _PAPER)
    return np.asarray(draw_mesh(paper, seen, hand.faces(hand_model.faces)))
