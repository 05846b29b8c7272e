"""Contact sheets: one picture on which a person judges many samples at a glance."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int32, UInt8
from PIL import Image, ImageDraw, ImageFont

from shared.storage.outputs import write_output
from trainer.drawing.overlay import HandInPicture, draw_mesh, draw_skeleton

TILE_PX = 256
GAP_PX, MARGIN_PX, CAPTION_PX, HEADER_PX = 4, 20, 36, 64
PAPER, INK, FAINT, EMPTY = (250, 250, 248), (30, 32, 36), (120, 124, 132), (236, 236, 232)


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One picture of a strip.

    Attributes:
        picture: What is shown; without one, the panel says why.
        hand: Drawn over the picture, as a skeleton.
        has_mesh: Draw the hand's surface too.
        why_empty: What a panel without a picture says.
    """

    picture: UInt8[np.ndarray, "height width 3"] | None
    hand: HandInPicture | None = None
    has_mesh: bool = False
    why_empty: str = "nothing"


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """One sample: its panels from left to right, and what stands below them."""

    caption: str
    panels: tuple[Panel, ...]


def draw_contact_sheet(
    strips: Sequence[Strip],
    faces: Int32[np.ndarray, "faces 3"],
    *,
    title: str,
    headings: Sequence[str],
    columns: int = 2,
) -> Image.Image:
    """Return the sheet.

    Args:
        strips: Samples, from left to right and from top to bottom.
        faces: Triangles of the meshes.
        title: What these samples are.
        headings: What each panel of a strip shows.
        columns: Strips side by side.
    """
    columns = min(columns, len(strips)) or 1
    strip_px = len(headings) * (TILE_PX + GAP_PX) - GAP_PX + MARGIN_PX
    rows = -(-len(strips) // columns)
    size = MARGIN_PX + columns * strip_px, HEADER_PX + rows * (TILE_PX + CAPTION_PX) + MARGIN_PX
    sheet = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN_PX, 12), title, INK, ImageFont.load_default(20))
    for column in range(columns):
        for number, heading in enumerate(headings):
            left = MARGIN_PX + column * strip_px + number * (TILE_PX + GAP_PX)
            pen.text((left, HEADER_PX - 6), heading, FAINT, ImageFont.load_default(13), anchor="ls")
    for number, strip in enumerate(strips):
        row, column = divmod(number, columns)
        left, top = MARGIN_PX + column * strip_px, HEADER_PX + row * (TILE_PX + CAPTION_PX)
        for number, panel in enumerate(strip.panels):
            sheet.paste(_draw_panel(panel, faces), (left + number * (TILE_PX + GAP_PX), top))
        pen.text((left, top + TILE_PX + 5), strip.caption, INK, ImageFont.load_default(14))
    return sheet


def save_sheet(sheet: Image.Image, path: Path) -> None:
    """Write a sheet as PNG, complete or not at all."""
    file = io.BytesIO()
    sheet.save(file, "PNG")
    write_output(path, [file.getvalue()])


def _draw_panel(panel: Panel, faces: Int32[np.ndarray, "faces 3"]) -> Image.Image:
    if panel.picture is None:
        tile = Image.new("RGB", (TILE_PX, TILE_PX), EMPTY)
        centre = (TILE_PX / 2, TILE_PX / 2)
        ImageDraw.Draw(tile).text(centre, panel.why_empty, FAINT, ImageFont.load_default(14), anchor="mm")
        return tile
    tile = Image.fromarray(panel.picture).resize((TILE_PX, TILE_PX), Image.Resampling.LANCZOS)
    if panel.hand is None:
        return tile
    if panel.has_mesh:
        tile = draw_mesh(tile, panel.hand, faces)
    return draw_skeleton(tile, panel.hand)
