"""Turns the prediction shards of a round into synthetic shards, and commits the round."""

import hashlib
import json
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import cast

from tqdm.contrib.logging import logging_redirect_tqdm

from render_worker.progress import FrameBar
from render_worker.requests import FailedRequest, RenderContext, Request, RequestRenderer
from render_worker.twins.twin import TwinRequest
from shared.errors import ShardError
from shared.seams.renderer import RenderJob, RenderReport, RenderStopped
from shared.seeds import rng_of
from shared.storage.files import DISK_IS_FULL
from shared.twins.predictions import PredictionShard, read_predictions
from shared.twins.rounds import MANIFEST, commit_round
from shared.twins.sample import LOOK_VERSION, Provenance
from shared.twins.shards import PackedSample, SyntheticShard, pack_sample, read_index, write_shard

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class PackedTwin:
    """A twin for a shard; its worker packs it, so that the driver only lays bytes one after the other.

    Attributes:
        shard: Stem of the shard.
        twin: What to render.
    """

    shard: str
    twin: TwinRequest

    @property
    def sample_id(self) -> str:
        """Name of the picture."""
        return self.twin.sample_id

    def render(self, context: RenderContext) -> PackedSample:
        """Render the twin.

        Raises:
            RenderError: The hand cannot be seen.
        """
        return pack_sample(self.twin.render(context))


@dataclass(eq=False, kw_only=True)
class OpenShard:
    """A synthetic shard that waits for its pictures.

    Attributes:
        tar_path: Where it will be stored.
        provenance: How it is made.
        names: Its samples, in order.
        answers: Pictures and refusals so far, by name.
    """

    tar_path: Path
    provenance: Provenance
    names: tuple[str, ...]
    answers: dict[str, PackedSample | FailedRequest] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether every sample was rendered or refused."""
        return len(self.answers) == len(self.names)

    @property
    def is_intact(self) -> bool:
        """Whether an earlier attempt left exactly this shard behind, every byte of it unchanged."""
        try:
            index = read_index(self.tar_path)
        except ShardError:
            return False
        names = tuple(name for name in self.names if name not in index.quarantined)
        # On a cluster, the worker that was asked for its device may live on another machine this time.
        provenance = index.provenance.model_copy(update={"device": self.provenance.device})
        if provenance != self.provenance or tuple(index.samples) != names:
            return False
        if not SyntheticShard(self.tar_path).is_intact():
            logger.warning(
                "%s has changed on the disk since it was written; rendering it again.", self.tar_path
            )
            return False
        return True

    def write(self) -> None:
        """Write the shard.

        Raises:
            ShardError: It cannot be written, for example because the disk is full.
        """
        in_order = [self.answers[name] for name in self.names]
        try:
            write_shard(
                self.tar_path,
                [answer for answer in in_order if isinstance(answer, PackedSample)],
                provenance=self.provenance,
                quarantined={a.sample_id: a.reason for a in in_order if isinstance(a, FailedRequest)},
            )
        except OSError as error:
            remedy = "Make room" if error.errno in DISK_IS_FULL else "See that it can be written there"
            raise ShardError(
                f"{self.tar_path}: expected to write a shard, found: {error.strerror or error}.",
                remedy=f"{remedy}, then repeat the command; complete shards are kept.",
            ) from error


def render_round(renderer: RequestRenderer, job: RenderJob, *, stop: Event | None = None) -> RenderReport:
    """Render every twin of the job exactly once, or quarantine it by name; then commit the round.

    Shards that an earlier attempt finished with the same settings, backgrounds and predictions are kept, if
    every byte of them is still what was written.

    Raises:
        ShardError: There are no predictions, or they cannot be read, or a shard cannot be written.
        RenderStopped: Another thread asked for that.
    """
    start_s = time.monotonic()
    under_way = _RoundUnderWay(renderer, job, stop)
    rendered = under_way.render_missing(_prediction_paths(job.predictions_dir))
    twins = commit_round(job.out_dir, under_way.tar_names, round_index=job.round_index, kept=job.kept)
    return RenderReport(
        rendered=rendered,
        reused=twins.count_by_round()[job.round_index] - rendered,
        quarantined=tuple(twins.quarantined),
        wall_s=time.monotonic() - start_s,
        workers=renderer.stats.most_workers if rendered else 0,
        lost_workers=renderer.stats.lost_workers,
        retried=renderer.stats.retried,
    )


def _prediction_paths(directory: Path) -> list[Path]:
    paths = sorted(directory.glob("shard-*.safetensors"))
    if not paths:
        raise ShardError(
            f"{directory}: expected prediction shards, found none.",
            remedy=(
                "Give the folder that a round of `meshcycle train` wrote, such as RUN/predictions/round-0000."
            ),
        )
    return paths


class _RoundUnderWay:
    """Reads a prediction shard when its turn comes, and forgets it once it is rendered.

    So neither the time to the first picture nor the memory grows with the number of shards.

    Attributes:
        tar_names: Shards of the round so far, complete ones included.
    """

    def __init__(self, renderer: RequestRenderer, job: RenderJob, stop: Event | None) -> None:
        self.tar_names: list[str] = []
        self._renderer, self._job, self._stop = renderer, job, stop
        self._open: dict[str, OpenShard] = {}
        self._names: set[str] = set()
        self._predicted_in: int | None = None
        settings, state = renderer.settings, renderer.start()
        picture = json.dumps(settings.picture_fields() | job.variation.fields_set(), separators=(",", ":"))
        self._provenance = Provenance(
            bpy_version=state.bpy_version,
            engine=settings.engine,
            samples=settings.samples,
            device=str(state.device),
            settings_sha256=hashlib.sha256(f"{LOOK_VERSION} {picture}".encode()).hexdigest(),
            hand_model_sha256=renderer.hand_model.sha256,
            backgrounds_fingerprint=renderer.photographs.fingerprint,
            checkpoint_sha256=job.checkpoint_sha256 or "",
            config_sha256=job.config_sha256 or "",
            predictions_sha256="",
            round_index=job.round_index,
            run_seed=job.run_seed,
        )

    def render_missing(self, paths: Sequence[Path]) -> int:
        """Render and write all shards that are not complete, and return how many pictures that took."""
        rendered = quarantined = 0
        bar = FrameBar(f"Rendering round {self._job.round_index + 1}")
        with logging_redirect_tqdm(), bar:
            for request, answer in self._renderer.render(self._requests(paths, bar)):
                if self._stop is not None and self._stop.is_set():
                    raise RenderStopped(f"{self._job.out_dir}: the render was stopped")
                packed = cast("PackedTwin", request)
                shard = self._open[packed.shard]
                shard.answers[packed.sample_id] = answer
                rendered += isinstance(answer, PackedSample)
                if shard.is_complete:
                    self._open.pop(packed.shard).write()
                quarantined += isinstance(answer, FailedRequest)
                bar.update(self._renderer.stats, quarantined=quarantined)
        return rendered

    def _requests(self, paths: Sequence[Path], bar: FrameBar) -> Iterator[Request[PackedSample]]:
        """Read one shard after the other; the bar's total is a guess until the last one was read."""
        missing = 0
        for left, path in zip(reversed(range(len(paths))), paths, strict=True):
            predictions = read_predictions(path)
            self._require_fitting(path, predictions)
            shard = self._plan(path, predictions)
            if not shard.names:
                continue
            self.tar_names.append(shard.tar_path.name)
            if shard.is_intact:
                continue
            missing += len(shard.names)
            bar.expect(missing + left * len(shard.names))
            (self._job.out_dir / MANIFEST).unlink(missing_ok=True)
            self._open[path.stem] = shard
            for row, photograph in enumerate(predictions.sample_ids):
                for name in self._job.twins_of(photograph):
                    yield PackedTwin(path.stem, _twin(predictions, row, name, self._job))

    def _require_fitting(self, path: Path, predictions: PredictionShard) -> None:
        """Make sure that a shard can be drawn together with those before it."""
        num_verts = self._renderer.hand_model.num_verts
        found = None
        if predictions.verts_m.shape[1] != num_verts:
            expected = f"meshes of the hand model's {num_verts} vertices"
            found = f"{predictions.verts_m.shape[1]}"
        elif self._predicted_in is not None and self._predicted_in != predictions.round_index:
            expected = f"predictions of round {self._predicted_in + 1}, as in the shards before"
            found = f"those of round {predictions.round_index + 1}"
        elif again := self._names.intersection(predictions.sample_ids):
            expected, found = "every sample once", f"{min(again)} in a shard before, too"
        if found is not None:
            raise ShardError(
                f"{path}: expected {expected}, found {found}.",
                remedy="Give the predictions of one round and one hand model.",
            )
        self._predicted_in = predictions.round_index
        self._names.update(predictions.sample_ids)

    def _plan(self, path: Path, predictions: PredictionShard) -> OpenShard:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        return OpenShard(
            tar_path=self._job.out_dir / f"{path.stem}.tar",
            provenance=self._provenance.model_copy(update={"predictions_sha256": digest}),
            names=tuple(name for each in predictions.sample_ids for name in self._job.twins_of(each)),
        )


def _twin(predictions: PredictionShard, row: int, name: str, job: RenderJob) -> TwinRequest:
    other = None
    if job.variation.occluded > 0:
        rng = rng_of(job.run_seed, "second hand", job.round_index, name)
        chosen = int(rng.integers(len(predictions)))
        other = (predictions.verts_m[chosen], predictions.joints_m[chosen])
    return TwinRequest(
        sample_id=name,
        verts_m=predictions.verts_m[row],
        joints_m=predictions.joints_m[row],
        camera=predictions.camera(row),
        image_px=predictions.image_px,
        round_index=predictions.round_index,
        run_seed=job.run_seed,
        variation=job.variation,
        other=other,
    )
