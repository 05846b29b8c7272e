"""A gallery of twins as one HTML file that needs no network: look, sort, filter, change overlays and rounds.

The page is gallery.html. Python puts the data in its place: an index for sorting and filtering, and
for each photograph and each twin a block of JSON that the page decodes when it comes into view.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from shared.camera import project_px
from shared.freihand import FreiHandSplit
from shared.hand_model import HandModel
from shared.twins.names import photograph_of
from trainer.drawing.overlay import HandInPicture
from trainer.drawing.page import json_block, packed, packed_picture, packed_points, write_page
from trainer.inspection.named_photographs import NamedPhotographs
from trainer.run.records import RoundRecord

TEMPLATE = Path(__file__).with_name("gallery.html")
PICTURE_PX, QUALITY = 224, 70


@dataclass(frozen=True, slots=True, eq=False)
class GalleryTwin:
    """One twin, or the gap that a quarantined one left.

    Attributes:
        sample_id: Its name: that of its photograph, and ``+1`` and so on where it is a further twin.
        round_index: Round of the prediction that was drawn.
        background: Key of the photograph behind the hand.
        quarantined: Why there is no twin.
        error_mm: From the drawn hand to the photograph's label: the joints' mean distance after alignment.
        recycled_pa_mm: From the drawn hand to what the network sees in the twin, likewise.
        change_since_render_pa_mm: From the drawn hand to what the network sees in the photograph now,
            likewise.
        staleness: Rounds since it was drawn, up to the latest one in the page.
        twin: The render.
        mask_png: Its coverage by the hand.
        drawn: The hand in it.
        again: What the network sees in it.
    """

    sample_id: str
    round_index: int
    background: str = ""
    quarantined: str | None = None
    error_mm: float | None = None
    recycled_pa_mm: float | None = None
    change_since_render_pa_mm: float | None = None
    staleness: int | None = None
    twin: UInt8[np.ndarray, "height width 3"] | None = None
    mask_png: bytes = b""
    drawn: HandInPicture | None = None
    again: HandInPicture | None = None


def write_gallery(
    out: Path,
    twins: Iterable[GalleryTwin],
    *,
    title: str,
    hand_model: HandModel,
    photographs: NamedPhotographs | None = None,
    records: Sequence[RoundRecord] = (),
) -> int:
    """Write the page, one twin at a time, and return its size in bytes.

    Args:
        out: The HTML file.
        twins: In any order; a photograph may have one in every round.
        title: Of the page.
        hand_model: Gives the faces of the meshes.
        photographs: Those that were predicted; without them their panels stay empty.
        records: Of the run, for the curves.
    """
    blocks = _blocks(twins, title=title, photographs=photographs, records=records)
    return write_page(out, TEMPLATE, blocks, hand_model=hand_model)


def _blocks(
    twins: Iterable[GalleryTwin],
    *,
    title: str,
    photographs: NamedPhotographs | None,
    records: Sequence[RoundRecord],
) -> Iterator[str]:
    """Yield the block of every photograph, of every twin, and at last the index."""
    entries: list[dict[str, int | float | str | None]] = []
    rounds: set[int] = set()
    shown: set[str] = set()
    for twin in twins:
        photograph = photograph_of(twin.sample_id)
        if photographs is not None and photograph not in shown:
            shown.add(photograph)
            content = _photo_content(*photographs.find(photograph))
            yield json_block(f"photo-{photograph}", content)
        yield json_block(f"twin-{twin.round_index}-{twin.sample_id}", _twin_content(twin))
        entries.append(_entry(twin))
        rounds.add(twin.round_index)
    page_index = {
        "title": title,
        "rounds": sorted(rounds),
        "samples": entries,
        "curves": [
            {"round": record.round, "values": [record.scores["pa_mpjpe_mm"], record.scores["pa_mpvpe_mm"]]}
            for record in records
        ],
    }
    yield json_block("index", page_index)


def _entry(twin: GalleryTwin) -> dict[str, int | float | str | None]:
    return {
        "id": twin.sample_id,
        "photograph": photograph_of(twin.sample_id),
        "round": twin.round_index,
        "background": twin.background,
        "quarantined": twin.quarantined,
        "error": twin.error_mm,
        "recycled": twin.recycled_pa_mm,
        "change": twin.change_since_render_pa_mm,
        "staleness": twin.staleness,
    }


def _photo_content(split: FreiHandSplit, index: int) -> dict[str, str | None]:
    label = None
    if split.has_labels:
        pose = split.pose_of(index)
        joints_px = project_px(split.joints_m[pose].astype(np.float64), split.camera(pose))
        label = packed_points((joints_px + 0.5) / split.image_px)
    return {"photo": _webp(split.image(index)), "label": label}


def _twin_content(twin: GalleryTwin) -> dict[str, str | None]:
    return {
        "twin": None if twin.twin is None else _webp(twin.twin),
        "mask": packed(twin.mask_png) if twin.mask_png else None,
        "drawn": None if twin.drawn is None else _hand_points(twin.drawn),
        "again": None if twin.again is None else _hand_points(twin.again),
    }


def _hand_points(hand: HandInPicture) -> str:
    """Joints, then vertices: where in the picture, and how far away in the same unit."""
    points_m = np.concatenate([hand.joints_m, hand.verts_m]).astype(np.float64)
    points = (hand.project(points_m, size_px=hand.size_px) + 0.5) / hand.size_px
    spread = np.ptp(points, axis=0).max() / (np.ptp(points_m[:, :2], axis=0).max() + 1e-9)
    depths = (points_m[:, 2:] - points_m[:, 2:].mean()) * spread
    return packed_points(np.concatenate([points, depths], axis=1))


def _webp(rgb: UInt8[np.ndarray, "height width 3"]) -> str:
    return packed_picture(rgb, "WEBP", side_px=PICTURE_PX, quality=QUALITY)
