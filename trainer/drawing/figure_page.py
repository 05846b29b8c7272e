"""The page of a figure: rows of pictures under headings, as PNG, PDF or SVG."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image

from shared.errors import ConfigError
from shared.storage.outputs import write_output

TILE_PX = 448
"""Side of a picture inside the page."""

_TILE_IN, _DPI = 1.7, 200
_INK, _FAINT = "#1e2024", "#787c84"


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture of a page.

    Attributes:
        picture: None leaves the place empty, but for the caption.
        caption: What stands below.
    """

    picture: Image.Image | None
    caption: str = ""


def require_format(out: Path) -> None:
    """Raise a `ConfigError` unless the suffix names a kind of picture that can be written."""
    if out.suffix.lower() not in (".png", ".pdf", ".svg"):
        raise ConfigError(
            f"{out}: expected a picture, found the suffix '{out.suffix}'.",
            remedy="Give .png or .pdf.",
        )


def draw_page(
    rows: Sequence[Sequence[Tile]],
    headings: Sequence[str],
    groups: Sequence[tuple[str, int]],
    *,
    right_in: float = 0.0,
) -> tuple[Figure, list[list[Axes]]]:
    """Return the page, and the axes of its pictures, whose units are their pixels.

    Args:
        rows: As many tiles each as there are headings.
        headings: Of the columns.
        groups: What columns side by side have in common, and how many they are, from left to right.
        right_in: Room on the right, for a colour bar.
    """
    num_rows, num_columns = len(rows), len(headings)
    size_in = (_TILE_IN * num_columns + right_in, 1.09 * _TILE_IN * num_rows + 0.35)
    layout = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0.02, hspace=0.02)
    figure = Figure(figsize=size_in, dpi=_DPI, layout=layout)
    axes = figure.subplots(num_rows, num_columns, squeeze=False).tolist()
    for row, tiles in zip(axes, rows, strict=True):
        for cell, tile in zip(row, tiles, strict=True):
            _draw_tile(cell, tile)
    for cell, heading in zip(axes[0], headings, strict=True):
        cell.set_title(heading, fontsize=8, color=_FAINT, pad=3)
    start = 0
    for title, num_columns in groups:
        axes[0][start].annotate(
            literal(title), (0, 1), (0, 16), xycoords="axes fraction", textcoords="offset points",
            fontsize=10, color=_INK, fontweight="bold",
        )  # fmt: skip
        start += num_columns
    return figure, axes


def save_page(figure: Figure, out: Path) -> None:
    """Write the page; its suffix decides the format."""
    file = io.BytesIO()
    figure.savefig(file, format=out.suffix.lstrip(".").lower(), bbox_inches="tight", pad_inches=0.05)
    write_output(out, [file.getvalue()])


def literal(name: str) -> str:
    """Return a name as matplotlib shows it unchanged: without formulas, and without what is no UTF-8."""
    return name.encode(errors="replace").decode().replace("$", r"\$")


def _draw_tile(axes: Axes, tile: Tile) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    size_px = TILE_PX if tile.picture is None else tile.picture.width
    if tile.picture is not None:
        axes.imshow(np.asarray(tile.picture), interpolation="antialiased")
    axes.set_xlim(-0.5, size_px - 0.5)
    axes.set_ylim(size_px - 0.5, -0.5)
    axes.set_aspect("equal")
    axes.set_xlabel(tile.caption, fontsize=7, color=_INK, labelpad=2)
