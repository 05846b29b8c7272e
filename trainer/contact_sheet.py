"""Contact sheets: one picture on which a person judges a round at a glance.

Each strip shows a photograph, the prediction over it, and the synthetic twin with its keypoints.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32, UInt8
from PIL import Image, ImageDraw, ImageFont

from trainer.overlay import HandInPicture, draw_mesh, draw_skeleton

type Picture = UInt8[np.ndarray, "height width 3"]

PANELS = ("photograph", "prediction", "synthetic twin")
TILE_PX = 256
GAP_PX, MARGIN_PX, CAPTION_PX, HEADER_PX = 4, 20, 26, 64
PAPER, INK, FAINT, EMPTY = (250, 250, 248), (30, 32, 36), (120, 124, 132), (236, 236, 232)
STRIP_PX = len(PANELS) * TILE_PX + (len(PANELS) - 1) * GAP_PX


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """One sample on a sheet; what is None leaves its panel empty.

    Attributes:
        caption: Below the strip: the sample's name, its error if it is known.
        photo: The whole photograph.
        prediction: The predicted hand in it.
        twin: The render.
        twin_hand: The hand that was drawn.
        why_no_twin: What the empty panel says.
    """

    caption: str
    photo: Picture | None = None
    prediction: HandInPicture | None = None
    twin: Picture | None = None
    twin_hand: HandInPicture | None = None
    why_no_twin: str = "no twin"


def draw_contact_sheet(
    strips: Sequence[Strip], faces: Int32[np.ndarray, "faces 3"], *, title: str, columns: int = 2
) -> Image.Image:
    """Return the sheet.

    Args:
        strips: Samples, from left to right and from top to bottom.
        faces: Triangles of the predicted meshes.
        title: Heading: what these samples are.
        columns: Strips side by side.
    """
    columns = min(columns, len(strips)) or 1
    rows = -(-len(strips) // columns)
    width = columns * (STRIP_PX + MARGIN_PX) + MARGIN_PX
    sheet = Image.new("RGB", (width, HEADER_PX + rows * (TILE_PX + CAPTION_PX + 10) + MARGIN_PX), PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN_PX, 12), title, INK, ImageFont.load_default(20))
    for column in range(columns):
        for panel, name in enumerate(PANELS):
            left = MARGIN_PX + column * (STRIP_PX + MARGIN_PX) + panel * (TILE_PX + GAP_PX)
            draw.text((left, HEADER_PX - 6), name, FAINT, ImageFont.load_default(13), anchor="ls")
    for place, strip in enumerate(strips):
        row, column = divmod(place, columns)
        left = MARGIN_PX + column * (STRIP_PX + MARGIN_PX)
        top = HEADER_PX + row * (TILE_PX + CAPTION_PX + 10)
        for panel, picture in enumerate(_panels(strip, faces)):
            sheet.paste(picture, (left + panel * (TILE_PX + GAP_PX), top))
        draw.text((left, top + TILE_PX + 5), strip.caption, INK, ImageFont.load_default(14))
    return sheet


def _panels(strip: Strip, faces: Int32[np.ndarray, "faces 3"]) -> list[Image.Image]:
    photo = _tile(strip.photo, "no photograph")
    prediction, twin = _tile(None, "no prediction"), _tile(strip.twin, strip.why_no_twin)
    if strip.photo is not None and strip.prediction is not None:
        prediction = draw_skeleton(draw_mesh(photo, strip.prediction, faces), strip.prediction)
    if strip.twin is not None and strip.twin_hand is not None:
        twin = draw_skeleton(twin, strip.twin_hand)
    return [photo, prediction, twin]


def _tile(picture: Picture | None, why_empty: str) -> Image.Image:
    if picture is not None:
        return Image.fromarray(picture).resize((TILE_PX, TILE_PX), Image.Resampling.LANCZOS)
    tile = Image.new("RGB", (TILE_PX, TILE_PX), EMPTY)
    centre = (TILE_PX / 2, TILE_PX / 2)
    ImageDraw.Draw(tile).text(centre, why_empty, FAINT, ImageFont.load_default(14), anchor="mm")
    return tile
