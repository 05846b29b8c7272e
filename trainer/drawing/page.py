"""Pages of HTML that show hands and need no network: a template, the scripts they share, and blocks of data.

A template has a line ``<!-- data -->``. Python puts the blocks there, which the page decodes when what they
hold comes into view, and after them the scripts that draw hands (``hands.js`` and ``painted_hands.js``).
"""

import base64
import html
import io
import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Literal

import numpy as np
from jaxtyping import Float
from PIL import Image

from shared.hand_model import HandModel
from shared.images import Rgb
from shared.skeleton import BONES
from shared.storage.outputs import write_output
from trainer.drawing.overlay import JOINT_COLOURS

UNITS: Final = 8192
"""Steps in which points are stored, per 1."""

_MARKER: Final = "<!-- data -->"
_SCRIPTS: Final = tuple(Path(__file__).with_name(name) for name in ("hands.js", "painted_hands.js"))


def write_page(out: Path, template: Path, blocks: Iterable[str], *, hand_model: HandModel) -> int:
    """Write a page, one block at a time, and return its size in bytes.

    Args:
        out: The HTML file.
        template: What the page looks like.
        blocks: Its data, as `json_block` makes them.
        hand_model: Gives the faces of the meshes.
    """
    write_output(out, (piece.encode() for piece in _pieces(template, blocks, hand_model)))
    return out.stat().st_size


def json_block(name: str, content: object) -> str:
    """Return a block of JSON. Name and content may come from a file that anybody has written."""
    text = json.dumps(content, allow_nan=False).replace("<", "\\u003c")  # so that it cannot end its element
    return f'<script type="text/plain" id="{html.escape(name)}">{text}</script>\n'


def packed_points(points: Float[np.ndarray, "points axes"]) -> str:
    """Return points between -4 and 4 as text, in steps of 1 / `UNITS`."""
    limit = np.iinfo(np.int16).max
    return packed(np.clip(np.rint(UNITS * points), -limit, limit).astype("<i2").tobytes())


def packed_picture(rgb: Rgb, kind: Literal["JPEG", "WEBP"], *, side_px: int, quality: int) -> str:
    """Return a picture as text, made smaller until no side is longer than wanted."""
    picture, file = Image.fromarray(rgb), io.BytesIO()
    picture.thumbnail((side_px, side_px))
    picture.save(file, kind, quality=quality)
    return packed(file.getvalue())


def packed(content: bytes) -> str:
    """Return bytes as text that has no sign with a meaning in HTML."""
    return base64.b64encode(content).decode("ascii")


def _pieces(template: Path, blocks: Iterable[str], hand_model: HandModel) -> Iterator[str]:
    head, tail = template.read_text(encoding="utf-8").split(_MARKER)
    hand = {
        "faces": packed(hand_model.faces.astype("<u2").tobytes()),
        "bones": BONES,
        "colours": ["#" + bytes(colour).hex() for colour in JOINT_COLOURS],
    }
    scripts = (f"<script>\n{path.read_text(encoding='utf-8')}</script>\n" for path in _SCRIPTS)
    return itertools.chain([head, json_block("hand", hand)], blocks, scripts, [tail])
