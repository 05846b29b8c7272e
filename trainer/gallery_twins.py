"""The twins of a gallery, with what today's network says about them and about their photographs."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from shared.freihand import FreiHandSplit
from shared.synthetic import SyntheticSample
from shared.types import WeakPerspective
from trainer.alignment import align
from trainer.augment import Warp
from trainer.gallery import GalleryTwin, write_gallery
from trainer.inspection import Inspection
from trainer.overlay import HandInPicture
from trainer.predict import CentreCrops, HandPredictions, join_predictions, predict_groups
from trainer.run_folder import RunFolder
from trainer.run_log import read_records
from trainer.shard_context import ShardContext
from trainer.trained import DeviceName, TrainedHand, load_trained
from trainer.twin_strips import TwinRef, choose_twins, error_mm, photo_index, twin_rgb

BATCH = 32


class TwinCrops(CentreCrops):
    """Twins, in the place of the photographs that they belong to."""

    def __init__(
        self, split: FreiHandSplit, samples: Mapping[int, SyntheticSample], *, crop_px: int, input_px: int
    ) -> None:
        super().__init__(split, crop_px=crop_px, input_px=input_px)
        self.samples = samples

    def __getitem__(self, index: int) -> Tensor:
        warp = Warp(1 / self.crop_share)
        return torch.from_numpy(warp.image(twin_rgb(self.samples[index]), size_px=self.input_px))


def write_run_gallery(
    out: Path, inspection: Inspection, context: ShardContext, *, count: int = 500, device: DeviceName = "auto"
) -> int:
    """Write the gallery of all rounds among some shards, and return its size in bytes.

    Args:
        out: The HTML file.
        inspection: The shards.
        context: What they belong to. The best checkpoint of their run, if there is one, looks at everything
            again, which takes two predictions per twin.
        count: Twins per round, at equal distances.
        device: Of the network.
    """
    run = RunFolder(context.run_dir) if context.run_dir else None
    has_network = run is not None and (run.checkpoints / "best").exists()
    trained = load_trained(run.root, device=device) if run is not None and has_network else None
    return write_gallery(
        out,
        gallery_twins(inspection, count=count, split=context.split, trained=trained),
        title=context.run_dir.name if context.run_dir else "Synthetic shards",
        hand_model=context.hand_model,
        split=context.split,
        records=read_records(run) if run is not None else (),
    )


def gallery_twins(
    inspection: Inspection, *, count: int, split: FreiHandSplit | None, trained: TrainedHand | None
) -> Iterator[GalleryTwin]:
    """Yield the twins of every round among the shards, at most so many per round, in batches.

    Args:
        inspection: The shards.
        count: Twins per round, at equal distances.
        split: Their photographs; needed for errors, and for the network to say anything.
        trained: The network that looks at twins and photographs again.
    """
    rounds: dict[int, list[Path]] = {}
    for row in inspection.rows:
        rounds.setdefault(row.provenance.round_index, []).append(row.path)
    for tars in rounds.values():
        for refs in itertools.batched(choose_twins(tars, count=count), BATCH):
            drawn = {ref.sample_id: ref.shard.read(ref.sample_id) for ref in refs if ref.why_missing is None}
            looks = _looks(drawn, split, trained) if split and trained and drawn else {}
            for ref in refs:
                yield _gallery_twin(ref, drawn.get(ref.sample_id), split, looks.get(ref.sample_id))


type Look = tuple[HandInPicture, float, float]
"""What the network sees in a twin, how far that is from what was drawn, and the same for its photograph."""


def _looks(
    drawn: Mapping[str, SyntheticSample], split: FreiHandSplit, trained: TrainedHand
) -> dict[str, Look]:
    data = trained.config.data
    samples = {photo_index(sample_id, split): sample for sample_id, sample in drawn.items()}
    twins = TwinCrops(split, samples, crop_px=data.crop_px, input_px=data.input_px)
    photos = CentreCrops(split, crop_px=data.crop_px, input_px=data.input_px)
    again, now = (_predict(trained, crops, list(samples)) for crops in (twins, photos))
    drawn_m = np.stack([sample.joints_m for sample in samples.values()])
    drift, staleness = _distances_mm(again.joints_m, drawn_m), _distances_mm(now.joints_m, drawn_m)
    looks = {}
    for row, (sample_id, sample) in enumerate(drawn.items()):
        camera = WeakPerspective(*(float(value) for value in again.cameras[row]))
        seen = HandInPicture(again.verts_m[row], again.joints_m[row], camera, sample.labels.image_px)
        looks[sample_id] = (seen, float(drift[row]), float(staleness[row]))
    return looks


def _predict(trained: TrainedHand, crops: CentreCrops, indices: Sequence[int]) -> HandPredictions:
    parts = predict_groups(trained.network, crops, [indices], batch_size=BATCH)
    return join_predictions(list(parts))


def _distances_mm(
    seen_m: Float[np.ndarray, "hands 21 3"], drawn_m: Float[np.ndarray, "hands 21 3"]
) -> Float[np.ndarray, " hands"]:
    aligned_m = align(seen_m, drawn_m, allow_reflection=True).points
    return np.asarray(1000 * np.linalg.norm(aligned_m - drawn_m, axis=2).mean(axis=1))


def _gallery_twin(
    ref: TwinRef, sample: SyntheticSample | None, split: FreiHandSplit | None, look: Look | None
) -> GalleryTwin:
    if sample is None:
        made = ref.shard.index.provenance
        return GalleryTwin(ref.sample_id, made.round_index, quarantined=ref.why_missing)
    labels = sample.labels
    again, drift, staleness = look or (None, None, None)
    return GalleryTwin(
        sample_id=ref.sample_id,
        round_index=labels.round_index,
        background=labels.background.key,
        error_mm=error_mm(sample, split) if split is not None and split.has_labels else None,
        drift_mm=drift,
        staleness_mm=staleness,
        twin=twin_rgb(sample),
        mask_png=sample.mask_png,
        drawn=HandInPicture(sample.verts_m, sample.joints_m, labels.camera, labels.image_px),
        again=again,
    )
