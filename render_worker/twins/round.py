"""Turns the prediction shards of a round into synthetic shards, and commits the round."""

import hashlib
import json
import logging
import secrets
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from threading import Event
from typing import Any, Final, cast

from tqdm.contrib.logging import logging_redirect_tqdm

from render_worker.progress import FrameBar
from render_worker.requests import FailedRequest, PoolStats, Request, RequestRenderer
from render_worker.twins.fitting_shards import FittingShards, require_new
from render_worker.twins.packed_twin import PackedTwin, packed_twins
from render_worker.twins.seen_place import UnseenPlace, secret_at_url, secret_in_folder
from render_worker.twins.shard_files import OpenShard, ShardPlace
from render_worker.twins.whole_shard import WholeShard, WrittenShard
from shared.errors import RenderError, ShardError
from shared.seams.renderer import RenderJob, RenderReport, RenderStopped
from shared.storage.files import delete_temporary
from shared.twins.manifest import ManifestWriter, ShardEntry, entry_of, uncommit
from shared.twins.predictions import PredictionHead, PredictionShard, read_head, read_predictions
from shared.twins.round_folders import require_shards
from shared.twins.sample import LOOK_VERSION, Provenance
from shared.twins.shard_writing import PackedSample
from shared.twins.stored_shards import RoundStore

logger = logging.getLogger(__name__)

_LAST_SHARDS: Final = 64
"""At most so many shards are drawn picture by picture at the end.

More keep the driver busy, and end the round no sooner on a farm of many more workers.
"""


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
    rendered = under_way.render_missing(_prediction_names(job.predictions_dir))
    drawn, quarantined = under_way.commit()
    return RenderReport(
        rendered=rendered,
        reused=drawn - rendered,
        quarantined=quarantined,
        wall_s=time.monotonic() - start_s,
        workers=under_way.stats.most_workers if rendered else 0,
        lost_workers=under_way.stats.lost_workers,
        retried=under_way.stats.retried,
    )


def _prediction_names(directory: Path) -> list[str]:
    # Names, because paths take ten times their memory.
    names = sorted(path.name for path in directory.glob("shard-*.safetensors"))
    if not names:
        raise ShardError(
            f"{directory}: expected prediction shards, found none.",
            remedy=(
                "Give the folder that a round of `meshcycle train` wrote, such as RUN/predictions/round-0000."
            ),
        )
    return names


class _RoundUnderWay:
    """Reads a prediction shard when its turn comes, and forgets it once it is rendered.

    So neither the time to the first picture nor the memory grows with the number of shards.

    A shard is handed to a worker whole, or picture by picture. Picture by picture are those that workers may
    not or cannot write, those whose worker died, and the last ones, of which there are too few for all.

    Attributes:
        stats: What happened to the workers.
    """

    def __init__(self, renderer: RequestRenderer, job: RenderJob, stop: Event | None) -> None:
        self.stats = PoolStats()
        self._manifest = ManifestWriter(job.out_dir)
        self._first: Provenance | None = None
        self._refused: list[str] = []
        self._renderer, self._job, self._stop = renderer, job, stop
        self._fitting = FittingShards(renderer.hand_model.num_verts)
        self._open: dict[str, OpenShard] = {}
        self._whole: dict[str, tuple[Path, int]] = {}
        self._divided: deque[tuple[Path, int]] = deque()
        self._expected = self._to_come = self._rendered = self._quarantined = 0
        settings, state = renderer.settings, renderer.start()
        self._workers_write = settings.written_by != "driver"
        self._folder_url = RoundStore(job.store).folder(job.round_index) if job.store else None
        self._secret = secrets.token_hex(16)
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

    def render_missing(self, names: Sequence[str]) -> int:
        """Render and write all shards that are not complete, and return how many pictures that took."""
        waiting = deque(names)
        bar = FrameBar(f"Rendering round {self._job.round_index + 1}")
        with logging_redirect_tqdm(), bar, self._secret_is_there():
            while waiting or self._divided:
                for request, answer in self._renderer.render(self._requests(waiting, bar)):
                    self._require_going_on()
                    if isinstance(request, WholeShard):
                        pictures = self._take_shard(request, answer)
                    else:
                        pictures = self._take_picture(cast("PackedTwin", request), answer)
                    bar.expect(self._expected + self._to_come)
                    bar.update(self._renderer.stats, pictures, quarantined=self._quarantined)
                self._require_going_on()
                self.stats.add(self._renderer.stats)
        delete_temporary(self._job.out_dir)
        return self._rendered

    def commit(self) -> tuple[int, tuple[str, ...]]:
        """Declare the shards, and the twins that are kept, to be the round.

        Returns:
            The number of twins that its own shards have, and the names of those that could not be drawn.

        Raises:
            ShardError: A shard of an earlier round is gone.
        """
        job = self._job
        require_shards(job.out_dir, job.kept, store=job.store)
        manifest = self._manifest.commit(
            self._first, round_index=job.round_index, kept=job.kept, store=job.store
        )
        return manifest.shown.get(job.round_index, 0), tuple(self._refused)

    def _require_going_on(self) -> None:
        if self._stop is not None and self._stop.is_set():
            raise RenderStopped(f"{self._job.out_dir}: the render was stopped")

    def _secret_is_there(self) -> AbstractContextManager[None]:
        """Have the secret where workers write, by which they show that they see it."""
        if self._folder_url is not None:
            return secret_at_url(self._folder_url, self._secret)
        return secret_in_folder(self._job.out_dir, self._secret)

    def _take_shard(self, request: WholeShard, answer: object) -> int:
        """Note that a shard is complete, or what else became of it; return the pictures drawn or refused."""
        path, number = self._whole.pop(request.sample_id)
        if isinstance(answer, WrittenShard):
            self._quarantined += len(answer.quarantined)
            entry = ShardEntry.model_construct(  # of names that were checked when they were read
                round_index=self._job.round_index,
                name=request.place.tar_path.name,
                index_sha256=answer.index_sha256,
                sample_ids=tuple(name for name in request.names if name not in answer.quarantined),
                quarantined=answer.quarantined,
            )
            self._finish(number, entry, answer.provenance)
            self._rendered += answer.rendered
            if answer.rendered == 0:
                self._expected -= request.num_pictures
                return 0
            return request.num_pictures
        self._divided.append((path, number))
        self._expected -= request.num_pictures
        if isinstance(answer, UnseenPlace):
            self._leave_to_driver(answer)
        return 0

    def _leave_to_driver(self, unseen: UnseenPlace) -> None:
        """Have all further pictures come here, because a machine does not see the folders, or the URL.

        Raises:
            RenderError: That is not wanted.
        """
        if self._folder_url is None:
            places = f"{self._job.out_dir} and {self._job.predictions_dir}"
            remedy, reason = "Mount them there under the same paths", "it does not"
        else:
            places, remedy, reason = self._folder_url, "See that it can be reached from there", unseen.reason
        if self._renderer.settings.written_by == "workers":
            raise RenderError(
                f"{unseen.host}: expected to see {places} as this machine does, and to write there; "
                f"{reason.rstrip('.')}.",
                remedy=f'{remedy}, or set render.written_by = "auto".',
            )
        if self._workers_write:
            logger.warning(
                "%s does not see %s as this machine does; all pictures pass through this machine.%s",
                *(unseen.host, places, unseen.reason and f" There: {unseen.reason}"),
            )
        self._workers_write = False

    def _take_picture(self, request: PackedTwin, answer: object) -> int:
        """Put a picture into its shard, which is written once it is complete; return 1."""
        shard = self._open[request.shard]
        shard.answers[request.sample_id] = cast("PackedSample | FailedRequest", answer)
        self._rendered += isinstance(answer, PackedSample)
        if shard.is_complete:
            self._finish(shard.number, self._open.pop(request.shard).write(), shard.provenance)
        self._quarantined += isinstance(answer, FailedRequest)
        return 1

    def _requests(self, waiting: deque[str], bar: FrameBar) -> Iterator[Request[Any]]:
        """Read one shard after the other; the bar's total is a guess until the last one was read."""
        while waiting or self._divided:
            if self._divided:
                path, number = self._divided.popleft()
                yield from self._pictures(path, number, read_predictions(path))
                continue
            path = self._job.predictions_dir / waiting.popleft()
            is_whole = self._workers_write and len(waiting) >= min(self._renderer.stats.workers, _LAST_SHARDS)
            predictions = None if is_whole else read_predictions(path)
            head = read_head(path) if predictions is None else predictions.head
            self._fitting.require(path, head)
            names = self._twins_of(head)
            if not names:
                continue
            number, there = self._manifest.begin(f"{path.stem}.tar", names)
            require_new(path, there)
            self._to_come = len(waiting) * len(names)
            if predictions is not None:
                yield from self._pictures(path, number, predictions)
            else:
                yield self._shard(path, number, names)
            bar.expect(self._expected + self._to_come)

    def _shard(self, path: Path, number: int, names: tuple[str, ...]) -> WholeShard:
        """Return the request for a whole shard."""
        if self._folder_url is not None:  # workers do not see the manifest
            uncommit(self._job.out_dir)
        self._expected += len(names)
        self._whole[path.stem] = (path, number)
        return WholeShard(
            predictions_path=path.absolute(),
            predictions=None if self._folder_url is None else path.read_bytes(),
            place=self._place(path),
            names=names,
            provenance=self._provenance,
            variation=self._job.variation,
            secret=self._secret,
        )

    def _pictures(self, path: Path, number: int, predictions: PredictionShard) -> Iterator[PackedTwin]:
        """Yield the requests for the pictures of a shard, unless it is there already."""
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        shard = OpenShard(
            place=self._place(path),
            provenance=self._provenance.model_copy(update={"predictions_sha256": digest}),
            names=self._twins_of(predictions.head),
            number=number,
        )
        found = shard.place.intact(shard.names, shard.provenance)
        if found is not None:
            entry = entry_of(shard.place.tar_path, found.index, index_sha256=found.sha256)
            self._finish(number, entry, found.index.provenance)
            return
        uncommit(self._job.out_dir)
        self._expected += len(shard.names)
        self._open[path.stem] = shard
        yield from packed_twins(
            path.stem,
            predictions,
            shard.names,
            provenance=shard.provenance,
            variation=self._job.variation,
        )

    def _finish(self, number: int, entry: ShardEntry, provenance: Provenance) -> None:
        """Note that a shard is complete."""
        if number == 0:
            self._first = provenance
        self._refused.extend(entry.quarantined)
        self._manifest.finish(number, entry)

    def _twins_of(self, head: PredictionHead) -> tuple[str, ...]:
        if self._job.most_twins == 1 and self._job.sample_ids is None:
            return head.sample_ids
        return tuple(name for each in head.sample_ids for name in self._job.twins_of(each))

    def _place(self, path: Path) -> ShardPlace:
        return ShardPlace(self._job.out_dir.absolute() / f"{path.stem}.tar", self._folder_url)
