"""Twins beside their photographs: the strips of a contact sheet, from synthetic shards and a dataset.

A twin is a picture of the prediction for its photograph, in the photograph's frame, turned or bent before if
the run says so. So a shard alone knows the hand; the dataset adds the photograph and, where it has labels,
the error.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from shared.errors import ShardError
from shared.twins.sample import SyntheticSample
from shared.twins.shards import SyntheticShard
from trainer.drawing.contact_sheet import Panel, Strip
from trainer.drawing.overlay import HandInPicture
from trainer.evaluation.procrustes import aligned_mean_mm
from trainer.inspection.named_photographs import NamedPhotographs

HEADINGS = ("photograph", "hand as drawn", "synthetic twin")
SECOND_HEADING = "prediction of the twin"

type Selection = Literal["spread", "worst"]


@dataclass(frozen=True, slots=True)
class TwinRef:
    """Where a twin is stored, or why there is none."""

    sample_id: str
    shard: SyntheticShard
    why_missing: str | None = None


def choose_twins(
    shards: Sequence[SyntheticShard],
    *,
    count: int,
    selection: Selection = "spread",
    photographs: NamedPhotographs | None = None,
) -> list[TwinRef]:
    """Choose the samples of a sheet.

    Args:
        shards: Complete ones.
        count: At most this many.
        selection: ``spread`` takes them at equal distances, quarantined ones included; ``worst`` those whose
            drawn hand is farthest from the labels.
        photographs: Whose predictions were drawn; needed for ``worst``.

    Raises:
        ShardError: ``worst`` was asked for without labels.
    """
    twins = [twin for shard in shards for twin in _twins_in(shard)]
    if selection == "worst":
        if photographs is None or not photographs.have_labels:
            raise ShardError(
                "worst: expected a dataset with labels to compare with, found none.",
                remedy="Give its folder.",
            )
        drawn = [twin for twin in twins if twin.why_missing is None]
        errors_mm = [error_mm(twin.shard.read(twin.sample_id), photographs) for twin in drawn]
        return [drawn[row] for row in np.argsort(errors_mm)[::-1][:count]]
    rows = np.linspace(0, len(twins) - 1, num=min(count, len(twins)))
    return [twins[round(row)] for row in rows]


def strip_of(
    twin: TwinRef, photographs: NamedPhotographs | None, *, seen: HandInPicture | None = None
) -> Strip:
    """Read what a strip shows of one twin.

    Args:
        twin: Which one.
        photographs: Whose predictions were drawn.
        seen: What a network sees in the twin, for a fourth panel.
    """
    photo = None
    if photographs is not None:
        split, index = photographs.find(twin.sample_id)
        photo = split.image(index)
    before = Panel(photo, why_empty="no photograph")
    if twin.why_missing is not None:
        lost = Panel(None, why_empty="quarantined")
        return Strip(f"{twin.sample_id}   {twin.why_missing[:60]}", (before, lost, lost))
    sample = twin.shard.read(twin.sample_id)
    labels = sample.labels
    hand = HandInPicture(sample.verts_m, sample.joints_m, labels.camera, labels.image_px)
    background = labels.background.key.rsplit("/", maxsplit=1)[-1]
    caption = f"{twin.sample_id}   round {labels.round_index + 1}   background {background[:12]}"
    if photographs is not None and photographs.has_label(twin.sample_id):
        caption += f"   PA-MPJPE {error_mm(sample, photographs):.1f} mm"
    drawn = Panel(photo, hand, has_mesh=True, why_empty="no photograph")
    rgb = sample.rgb()
    again = () if seen is None else (Panel(rgb, seen, has_mesh=True),)
    return Strip(caption, (before, drawn, Panel(rgb, hand), *again))


def error_mm(sample: SyntheticSample, photographs: NamedPhotographs) -> float:
    """Return how far the joints of the drawn hand are from the photograph's labels, after alignment."""
    split, index = photographs.find(sample.labels.sample_id)
    true_m = split.joints_m[split.pose_of(index)][None]
    return float(aligned_mean_mm(sample.joints_m[None], true_m, allow_reflection=True)[0])


def _twins_in(shard: SyntheticShard) -> list[TwinRef]:
    drawn = [TwinRef(sample_id, shard) for sample_id in shard.index.samples]
    missing = [TwinRef(sample_id, shard, why) for sample_id, why in shard.index.quarantined.items()]
    return sorted(drawn + missing, key=lambda twin: twin.sample_id)
