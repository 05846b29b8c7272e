"""Turns the prediction shards of a round into synthetic shards, and commits the round."""

import hashlib
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from tqdm import tqdm

from render_worker.twin import TwinRequest
from render_worker.worker import Refusal, Request, WorkerState
from shared.backgrounds import BackgroundReader
from shared.errors import ShardError
from shared.hand_model import HandModel
from shared.predictions import PredictionShard, read_predictions
from shared.renderer import RenderJob, RenderReport, RenderSettings
from shared.rounds import MANIFEST, commit_round
from shared.shards import read_index, write_shard
from shared.synthetic import Provenance, SyntheticSample

RECIPE: Final = 1
"""To be raised whenever the same request gives another picture, so that one round never mixes two looks."""

INVISIBLE: Final = {"workers", "workers_per_gpu", "worker_memory_mb", "shard_size"}
"""Settings that do not change a picture, and so must not make a shard unusable."""


class Drawer(Protocol):
    """The part of a render pool that a round needs."""

    settings: RenderSettings
    hand_model: HandModel
    photographs: BackgroundReader

    @property
    def num_workers(self) -> int:
        """Number of running workers."""
        ...

    def start(self) -> WorkerState:
        """Start the workers, and return what they draw with."""
        ...

    def draw[Picture](
        self, requests: Iterable[Request[Picture]]
    ) -> Iterator[tuple[Request[Picture], Picture | Refusal]]:
        """Yield every request with its picture or a refusal, in any order."""
        ...


@dataclass(eq=False)
class _OpenShard:
    """A synthetic shard that waits for its pictures.

    Attributes:
        tar_path: Where it will lie.
        predictions_path: What is drawn into it.
        provenance: How it is made.
        names: Its samples, in order.
        answers: Pictures and refusals so far, by name.
    """

    tar_path: Path
    predictions_path: Path
    provenance: Provenance
    names: tuple[str, ...]
    answers: dict[str, SyntheticSample | Refusal] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether every sample was drawn or refused."""
        return len(self.answers) == len(self.names)

    def write(self) -> None:
        """Write the shard and let go of the pictures."""
        in_order = [self.answers[name] for name in self.names]
        write_shard(
            self.tar_path,
            [answer for answer in in_order if isinstance(answer, SyntheticSample)],
            provenance=self.provenance,
            quarantined={a.sample_id: a.reason for a in in_order if isinstance(a, Refusal)},
        )
        self.answers.clear()


def render_round(drawer: Drawer, job: RenderJob) -> RenderReport:
    """Draw every prediction exactly once, or quarantine it by name; then commit the round.

    Shards that an earlier attempt finished with the same settings, backgrounds and predictions are kept.

    Raises:
        ShardError: There are no predictions, or they cannot be read.
    """
    start_s = time.monotonic()
    shards = [_plan(drawer, job, path) for path in _prediction_paths(job.predictions_dir)]
    missing = [shard for shard in shards if not _is_whole(shard)]
    if missing:
        (job.out_dir / MANIFEST).unlink(missing_ok=True)
        _draw_missing(drawer, job, missing)
    twins = commit_round(job.out_dir, [s.tar_path.name for s in shards], round_index=job.round_index)
    fresh = {name for shard in missing for name in shard.names}
    return RenderReport(
        rendered=sum(name in fresh for name in twins.sample_ids),
        reused=sum(name not in fresh for name in twins.sample_ids),
        quarantined=tuple(twins.quarantined),
        wall_s=time.monotonic() - start_s,
    )


def _prediction_paths(directory: Path) -> list[Path]:
    paths = sorted(directory.glob("shard-*.safetensors"))
    if not paths:
        raise ShardError(
            f"{directory}: expected prediction shards, found none. Give the folder that a round of "
            "`meshcycle train` wrote, such as RUN/predictions/round-0000."
        )
    return paths


def _plan(drawer: Drawer, job: RenderJob, predictions_path: Path) -> _OpenShard:
    settings = drawer.settings
    state = drawer.start()
    look = settings.model_dump_json(exclude=INVISIBLE)
    return _OpenShard(
        tar_path=job.out_dir / f"{predictions_path.stem}.tar",
        predictions_path=predictions_path,
        names=read_predictions(predictions_path).sample_ids,
        provenance=Provenance(
            bpy_version=state.bpy_version,
            engine=settings.engine,
            samples=settings.samples,
            device=state.device,
            settings_sha256=hashlib.sha256(f"{RECIPE} {look}".encode()).hexdigest(),
            hand_model_sha256=drawer.hand_model.sha256,
            backgrounds_fingerprint=drawer.photographs.fingerprint,
            checkpoint_sha256=job.checkpoint_sha256,
            config_sha256=job.config_sha256,
            predictions_sha256=hashlib.sha256(predictions_path.read_bytes()).hexdigest(),
            round_index=job.round_index,
            run_seed=job.run_seed,
        ),
    )


def _is_whole(shard: _OpenShard) -> bool:
    """Whether an earlier attempt left exactly this shard behind."""
    try:
        index = read_index(shard.tar_path)
    except ShardError:
        return False
    names = tuple(name for name in shard.names if name not in index.quarantined)
    # On a cluster, the worker that was asked for its device may live on another machine this time.
    provenance = index.provenance.model_copy(update={"device": shard.provenance.device})
    return provenance == shard.provenance and tuple(index.samples) == names


def _draw_missing(drawer: Drawer, job: RenderJob, missing: list[_OpenShard]) -> None:
    shard_of = {name: shard for shard in missing for name in shard.names}
    for empty in (shard for shard in missing if not shard.names):
        empty.write()
    requests = (request for shard in missing for request in _requests(shard, job))
    with tqdm(
        total=len(shard_of),
        desc=f"Rendering round {job.round_index} with {drawer.num_workers} workers",
        unit="frame",
        disable=None,
    ) as bar:
        for request, answer in drawer.draw(requests):
            shard = shard_of[request.sample_id]
            shard.answers[request.sample_id] = answer
            if shard.is_complete:
                shard.write()
            bar.update()


def _requests(shard: _OpenShard, job: RenderJob) -> Iterator[Request[SyntheticSample]]:
    predictions = read_predictions(shard.predictions_path)
    return (_request(predictions, row, run_seed=job.run_seed) for row in range(len(predictions)))


def _request(predictions: PredictionShard, row: int, *, run_seed: int) -> TwinRequest:
    return TwinRequest(
        sample_id=predictions.sample_ids[row],
        verts_m=predictions.verts_m[row],
        joints_m=predictions.joints_m[row],
        camera=predictions.camera(row),
        image_px=predictions.image_px,
        round_index=predictions.round_index,
        run_seed=run_seed,
    )
