"""The twins of a gallery, with what the best network says about them and about their photographs."""

import itertools
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from shared.twins.sample import SyntheticSample
from shared.twins.shards import SyntheticShard
from trainer.drawing.overlay import HandInPicture
from trainer.inspection.context import ShardContext
from trainer.inspection.gallery import GalleryTwin, write_gallery
from trainer.inspection.named_photographs import NamedPhotographs
from trainer.inspection.repredict import BATCH, Reprediction, repredict
from trainer.inspection.shards import Inspection
from trainer.inspection.twin_strips import TwinRef, choose_twins, error_mm
from trainer.run.folder import RunFolder
from trainer.run.records import read_records
from trainer.run.trained import TrainedHand


def write_run_gallery(
    out: Path,
    inspection: Inspection,
    context: ShardContext,
    *,
    count: int = 500,
    trained: TrainedHand | None = None,
) -> int:
    """Write the gallery of all rounds among some shards, and return its size in bytes.

    Args:
        out: The HTML file.
        inspection: The shards.
        context: What they belong to.
        count: Twins per round, at equal distances.
        trained: Predicts every twin and its photograph again.
    """
    return write_gallery(
        out,
        tqdm(
            gallery_twins(inspection, count=count, photographs=context.photographs, trained=trained),
            desc="Writing the gallery",
            unit=" twins",
            disable=None,
            leave=False,
        ),
        title=context.run_dir.name if context.run_dir else "Synthetic shards",
        hand_model=context.hand_model,
        photographs=context.photographs,
        records=read_records(RunFolder(context.run_dir)) if context.run_dir else (),
    )


def gallery_twins(
    inspection: Inspection,
    *,
    count: int,
    photographs: NamedPhotographs | None,
    trained: TrainedHand | None,
) -> Iterator[GalleryTwin]:
    """Yield the twins of every round among the shards, at most ``count`` per round, in batches.

    Args:
        inspection: The shards.
        count: Twins per round, at equal distances.
        photographs: Those that were predicted; needed for errors, and for the network to say anything.
        trained: The network that predicts twins and photographs again.
    """
    rounds: dict[int, list[SyntheticShard]] = {}
    for row in inspection.rows:
        rounds.setdefault(row.provenance.round_index, []).append(row.shard)
    for shards in rounds.values():
        for refs in itertools.batched(choose_twins(shards, count=count), BATCH):
            drawn = {ref.sample_id: ref.shard.read(ref.sample_id) for ref in refs if ref.why_missing is None}
            found = repredict(drawn, photographs, trained) if photographs and trained else {}
            for ref in refs:
                yield _gallery_twin(
                    ref,
                    drawn.get(ref.sample_id),
                    photographs,
                    found.get(ref.sample_id),
                    latest_round=max(rounds),
                )


def _gallery_twin(
    ref: TwinRef,
    sample: SyntheticSample | None,
    photographs: NamedPhotographs | None,
    reprediction: Reprediction | None,
    *,
    latest_round: int,
) -> GalleryTwin:
    if sample is None:
        made = ref.shard.index.provenance
        return GalleryTwin(ref.sample_id, made.round_index, quarantined=ref.why_missing)
    labels = sample.labels
    again, recycled, change = reprediction or (None, None, None)
    has_label = photographs is not None and photographs.has_label(ref.sample_id)
    return GalleryTwin(
        sample_id=ref.sample_id,
        round_index=labels.round_index,
        background=labels.background.key,
        error_mm=error_mm(sample, photographs) if photographs and has_label else None,
        recycled_pa_mm=recycled,
        change_since_render_pa_mm=change,
        staleness=latest_round - labels.round_index,
        twin=sample.rgb(),
        mask_png=sample.mask_png,
        drawn=HandInPicture(sample.verts_m, sample.joints_m, labels.camera, labels.image_px),
        again=again,
    )
