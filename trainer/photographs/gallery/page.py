"""The gallery of a folder of photographs: one HTML file that needs no network, for a desk or a telephone.

The page is gallery.html. It holds small photographs, and of every hand the square, joints and vertices, which
it draws itself. Beside an index for sorting, it decodes only what comes into view.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from shared.hand_model import HandModel
from shared.images import Rgb
from shared.storage.outputs import require_replaceable
from trainer.data.resampling import turn_matrix
from trainer.drawing.page import json_block, packed_picture, packed_points, write_page
from trainer.photographs.hand import PhotographedHand

TEMPLATE: Final = Path(__file__).with_name("gallery.html")
GALLERY_NAME: Final = "gallery.html"
MOST_PHOTOGRAPHS: Final = 1000
_ALL_PX: Final = 80_000_000
"""Of all photographs together, so that a page has about 20 MB at most, however many there are."""
_LARGEST_PX, _QUALITY = 1024, 78
_CORNERS: Final = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) / 2


class PhotographGallery:
    """Collects photographs and their hands, as small as they are shown, and writes the page.

    Args:
        out: The HTML file.
        num_photographs: That will be added, about: the more, the smaller each is; of more than
            `MOST_PHOTOGRAPHS` only every second, third, ... is kept.

    Raises:
        StorageError: The name belongs to something that is not ours to replace.
    """

    def __init__(self, out: Path, num_photographs: int) -> None:
        require_replaceable(out)
        self._out = out
        self._every = max(1, math.ceil(num_photographs / MOST_PHOTOGRAPHS))
        kept = max(1, num_photographs // self._every)
        self._side_px = min(_LARGEST_PX, math.isqrt(_ALL_PX // kept))
        self._num_added = 0
        self._entries: list[dict[str, Any]] = []
        self._blocks: list[str] = []

    def add(self, name: str, rgb: Rgb, hands: Sequence[PhotographedHand]) -> None:
        """Add a photograph.

        Args:
            name: What to call it; any text.
            rgb: Its pixels.
            hands: Predicted in it; those that are no numbers are left out.
        """
        self._num_added += 1
        if (self._num_added - 1) % self._every:
            return
        height_px, width_px = rgb.shape[:2]
        finite = [hand for hand in hands if np.isfinite(hand.project(hand.verts_m)).all()]
        content = {
            "picture": packed_picture(rgb, "JPEG", side_px=self._side_px, quality=_QUALITY),
            "hands": [_content(hand, width_px) for hand in finite],
        }
        entry = {
            "name": name,
            "aspect": width_px / height_px,
            "hands": [{"side": hand.side, "confidence": hand.square.confidence} for hand in finite],
        }
        self._blocks.append(json_block(f"photograph-{len(self._entries)}", content))
        self._entries.append(entry)

    def write(self, hand_model: HandModel, *, title: str) -> int:
        """Write the page, and return its size in bytes.

        Args:
            hand_model: Gives the faces of the meshes.
            title: Of the page; any text.
        """
        return write_page(self._out, TEMPLATE, self._all_blocks(title), hand_model=hand_model)

    def _all_blocks(self, title: str) -> Iterator[str]:
        yield from self._blocks
        index = {"title": title, "taken": self._num_added, "photographs": self._entries}
        yield json_block("index", index)


def _content(hand: PhotographedHand, width_px: int) -> dict[str, Any]:
    """Return what is drawn: places in widths of the photograph; points in spans from the hand's middle.

    A span is from the middle to the farthest vertex, so that a hand stays within it however it is turned.
    """
    points_m = np.concatenate([hand.joints_m, hand.verts_m]).astype(np.float64)
    middle_m = (hand.verts_m.min(axis=0) + hand.verts_m.max(axis=0)).astype(np.float64) / 2
    span_m = float(np.linalg.norm(hand.verts_m - middle_m, axis=1).max()) or 1.0
    square = hand.square
    corners_px = np.array(square.centre_px) + square.size_px * _CORNERS @ turn_matrix(square.turn_rad).T
    return {
        "middle": ((hand.project(middle_m[None])[0] + 0.5) / width_px).tolist(),
        "span": abs(hand.scale_px_per_m) * span_m / width_px,
        "square": ((corners_px + 0.5) / width_px).tolist(),
        "points": packed_points((points_m - middle_m) / span_m),
    }
