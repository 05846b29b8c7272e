"""Small stand-ins for the seams of the system, for tests only."""

import io
from collections.abc import Sequence
from pathlib import Path
from threading import Event

import numpy as np
from PIL import Image

from render_worker.twins.shard_files import ShardPlace
from render_worker.twins.varied import vary
from shared.camera import project_px
from shared.hand_model import load_hand_model
from shared.seams.renderer import RenderJob, RenderReport, RenderStopped
from shared.seeds import seed_of
from shared.twins.manifest import Manifest, ManifestWriter, ShardEntry, entry_of
from shared.twins.predictions import PredictionShard, read_predictions
from shared.twins.round_folders import require_shards
from shared.twins.sample import BackgroundCrop, Light, Provenance, SyntheticLabels, SyntheticSample
from shared.twins.shard_writing import pack_sample
from shared.twins.stored_shards import RoundStore


def commit_round(
    directory: Path,
    tar_names: Sequence[str],
    *,
    round_index: int,
    kept: Sequence[ShardEntry] = (),
    store: str | None = None,
) -> Manifest:
    """Commit a round whose shards are there."""
    writer, provenance = ManifestWriter(directory), None
    for name in tar_names:
        stored = _place(directory / name, store, round_index).stored()
        index = stored.index
        provenance = provenance or index.provenance
        number, _ = writer.begin(name, [*index.samples, *index.quarantined])
        writer.finish(number, entry_of(directory / name, index, index_sha256=stored.sha256))
    require_shards(directory, kept, store=store)
    return writer.commit(provenance, round_index=round_index, kept=kept, store=store)


def _place(tar_path: Path, store: str | None, round_index: int) -> ShardPlace:
    return ShardPlace(tar_path, RoundStore(store).folder(round_index) if store else None)


class PointRenderer:
    """Renders every vertex as a white pixel on grey: a `shared.seams.renderer.Renderer` without Blender.

    Args:
        skipped: Samples to quarantine.
    """

    def __init__(self, *, skipped: tuple[str, ...] = ()) -> None:
        self.skipped = skipped
        self.jobs: list[RenderJob] = []

    def render_round(self, job: RenderJob, *, stop: Event | None = None) -> RenderReport:
        self.jobs.append(job)
        names = []
        rendered = 0
        for path in sorted(job.predictions_dir.glob("shard-*.safetensors")):
            if stop is not None and stop.is_set():
                raise RenderStopped(str(job.out_dir))
            if any(map(job.twins_of, read_predictions(path).sample_ids)):
                tar_path = job.out_dir / f"{path.stem}.tar"
                rendered += self.render_shard(path, tar_path, job)
                names.append(tar_path.name)
        commit_round(job.out_dir, names, round_index=job.round_index, kept=job.kept, store=job.store)
        return RenderReport(rendered=rendered, reused=0, quarantined=self.skipped, wall_s=0.0)

    def render_shard(self, path: Path, tar_path: Path, job: RenderJob) -> int:
        shard = read_predictions(path)
        wanted = {name: row for row, each in enumerate(shard.sample_ids) for name in job.twins_of(each)}
        lost = {name: "skipped" for name in wanted if name in self.skipped}
        samples = [_point_drawing(shard, row, name, job) for name, row in wanted.items() if name not in lost]
        place = _place(tar_path, job.store, job.round_index)
        place.write(map(pack_sample, samples), provenance=_provenance(job), quarantined=lost)
        return len(samples)


def _point_drawing(shard: PredictionShard, row: int, name: str, job: RenderJob) -> SyntheticSample:
    camera = shard.camera(row)
    seed = seed_of(job.run_seed, job.round_index, name)
    hand = vary(shard.verts_m[row], shard.joints_m[row], job.variation, seed=seed)
    places = project_px(hand.verts_m, camera, size_px=shard.image_px).round().astype(int)
    columns, rows = places.clip(0, shard.image_px - 1).T
    image = np.full((shard.image_px, shard.image_px, 3), 96, np.uint8)
    image[rows, columns] = 255
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG")
    labels = SyntheticLabels(
        sample_id=name,
        round_index=shard.round_index,
        joints_m=tuple((float(x), float(y), float(z)) for x, y, z in hand.joints_m),
        camera=camera,
        image_px=shard.image_px,
        skin_rgb=(0.5, 0.5, 0.5),
        background=BackgroundCrop(key="none", left_px=0, top_px=0, side_px=shard.image_px),
        light=Light(direction=(0.0, 0.0, -1.0), angle_deg=1.0, key=1.0, fill=1.0),
        seed=seed,
        turn=hand.turn,
    )
    return SyntheticSample(jpeg=file.getvalue(), mask_png=b"", verts_m=hand.verts_m, labels=labels)


def _provenance(job: RenderJob) -> Provenance:
    return Provenance(
        bpy_version="none",
        engine="points",
        samples=1,
        device="cpu",
        settings_sha256="",
        hand_model_sha256=load_hand_model().sha256,
        backgrounds_fingerprint="",
        checkpoint_sha256=job.checkpoint_sha256 or "",
        config_sha256=job.config_sha256 or "",
        predictions_sha256="",
        round_index=job.round_index,
        run_seed=job.run_seed,
    )
