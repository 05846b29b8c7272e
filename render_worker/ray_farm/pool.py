"""A pool of Blender processes on one machine or many, which survives the death of any of them."""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from threading import Event
from types import TracebackType
from typing import Any, Final, Self, cast

from render_worker.picture.mesh import CappedMesh
from render_worker.ray_farm.actor import RayEngine
from render_worker.ray_farm.engine import Engine, WorkerDiedError, WorkerLostError
from render_worker.ray_farm.head import require_head
from render_worker.ray_farm.session import connect
from render_worker.ray_farm.slots import slots_of_cluster, slots_of_this_machine
from render_worker.ray_farm.tls import require_sound_tls
from render_worker.ray_farm.workers import Worker, WorkerSet
from render_worker.requests import (
    KERNELS_S,
    Answers,
    FailedRequest,
    ManyPictures,
    PoolStats,
    Request,
    WorkerState,
    in_calls,
    pictures_in,
)
from render_worker.twins.round import render_round
from render_worker.worker import SceneStarter, start_blender
from shared.backgrounds import BackgroundReader
from shared.errors import DeviceError, RenderError
from shared.hand_model import HandModel
from shared.seams.renderer import RenderJob, RenderReport, RenderSettings
from shared.storage.location import Location

_CHUNK: Final = 8
"""Pictures per call, where a request is one picture: enough to forget the cost of a call, few enough for all
workers to finish together."""
_STRIKES: Final = 2
"""Workers that a single request may kill before it fails."""
_LOSSES: Final = 5
"""Calls of a chunk that may be lost with their machine until it is blamed: a request kills no machines."""
_DEVICE_LOSSES: Final = 1
"""Calls of a chunk that may be lost with what draws until it is blamed: a request does break GPUs."""
_LOOK_EVERY_S: Final = 1.0
"""Time between two looks at what is overdue."""
_GRACE_S: Final = 30.0
"""A worker ends itself when a picture takes too long; this much later, the pool ends it from outside."""


@dataclass(eq=False)
class _Chunk[Picture]:
    """Requests that one worker renders in one call, how many workers died of them, and how many were lost."""

    requests: tuple[Request[Picture], ...]
    deaths: int = 0
    losses: int = 0
    num_pictures: int = field(init=False)

    def __post_init__(self) -> None:
        self.num_pictures = pictures_in(self.requests)


@dataclass(eq=False)
class _Call[Picture]:
    """A chunk that is being rendered."""

    worker: Worker
    chunk: _Chunk[Picture]
    started_s: float


class RenderPool:
    """Renders whatever it is asked for; a `shared.seams.renderer.Renderer`.

    Entering it is cheap. The first use starts or joins Ray and starts the workers, which stay for the next.
    Machines may join and leave at any time, also in the middle of a round.

    Args:
        settings: How pictures are made, and by how many workers.
        hand_model: Whose hands will be rendered.
        backgrounds: What ``filter-backgrounds`` wrote: a folder that every worker can read, or a URL.
        address: Of a running Ray cluster; None starts one on this machine.
        start_scene: Replaces Blender in tests.
        engine: Replaces Ray in simulations.
    """

    def __init__(
        self,
        settings: RenderSettings,
        hand_model: HandModel,
        backgrounds: Location,
        *,
        address: str | None = None,
        start_scene: SceneStarter = start_blender,
        engine: Engine | None = None,
    ) -> None:
        self.settings = settings
        self.hand_model = hand_model
        self.photographs = BackgroundReader(backgrounds)
        self.stats = PoolStats()
        self._address = address
        self._start_scene = start_scene
        self._engine = engine
        self._workers: WorkerSet | None = None
        self._stop: Event | None = None
        self._look_again_s = 0.0

    def __enter__(self) -> Self:
        """Make sure that a farm is there before its caller begins anything.

        Raises:
            RenderError: Its head does not answer.
            ConfigError: Certificates for TLS are missing, or not in order.
        """
        if self._address is not None:
            require_sound_tls()
            require_head(self._address)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the workers; they start again when they are needed. Ray itself stays for the next pool."""
        if self._workers is not None:
            self._workers.close()
            self._workers = None

    def start(self) -> WorkerState:
        """Start workers unless they run, and return what one of them renders with.

        Raises:
            RenderError: There is no cluster, no worker, or no Blender for this Python.
            DeviceError: The device that the settings ask for does not exist.
        """
        workers = self._ready_workers()
        assert workers.state is not None, "_ready_workers waits for one"
        return workers.state

    def render_round(self, job: RenderJob, *, stop: Event | None = None) -> RenderReport:
        """Render every prediction exactly once, or quarantine it by name; then commit the round.

        Raises:
            ShardError: There are no predictions, or they cannot be read.
            RenderStopped: Another thread set `stop`.
        """
        self._stop = stop
        try:
            return render_round(self, job, stop=stop)
        finally:
            self._stop = None

    def render[Picture](
        self, requests: Iterable[Request[Picture]]
    ) -> Iterator[tuple[Request[Picture], Picture | FailedRequest]]:
        """Yield every request with its picture, or with the reason why there is none, as they become ready.

        Requests are taken from the iterable only as workers become free. When a worker dies, another replaces
        it; each of the requests that it was rendering is tried again alone, and one that kills workers alone
        fails. What is lost with a whole machine is rendered again as it was.
        """
        workers = self._ready_workers()
        self.stats = PoolStats(workers=workers.num_ready)
        fresh = map(_Chunk, in_calls(requests, _CHUNK))
        again: deque[_Chunk[Picture]] = deque()
        waiting = next(fresh, None)
        running: dict[Any, _Call[Picture]] = {}
        try:
            while (waiting or running) and not (self._stop and self._stop.is_set()):
                workers.follow()
                while workers.idle and waiting:
                    worker = workers.idle.pop()
                    reference = self._ready_engine().render(worker.actor, waiting.requests)
                    running[reference] = _Call(worker, waiting, time.monotonic())
                    waiting = again.popleft() if again else next(fresh, None)
                for reference in workers.ready([*running, *workers.starting]):
                    if reference in workers.starting:
                        workers.admit(reference)
                    else:
                        yield from self._finish(workers, running.pop(reference), reference, again)
                self._end_overdue(running)
                workers.warn_once_or_give_up()
                self.stats.record(workers=workers.num_ready)
                waiting = waiting or (again.popleft() if again else None)
        finally:
            for call in running.values():  # the caller wants no more: nothing else ends a call
                workers.stop(call.worker)

    def _finish[Picture](
        self, workers: WorkerSet, call: _Call[Picture], reference: Any, again: deque[_Chunk[Picture]]
    ) -> Iterator[tuple[Request[Picture], Picture | FailedRequest]]:
        """Yield what a call has brought, or put its requests back to be tried again."""
        chunk = call.chunk
        try:
            answers = cast("Answers[Picture]", self._ready_engine().result(reference))
            workers.require_device(call.worker, answers.device)
        except DeviceError as error:
            workers.retire(call.worker, error)
            yield from self._try_again(call, again, _DEVICE_LOSSES, "lost their device")
        except (WorkerDiedError, WorkerLostError) as error:
            workers.stop(call.worker)
            is_lost = isinstance(error, WorkerLostError) or not workers.is_there(call.worker)
            yield from self._try_again(call, again, _LOSSES if is_lost else 0, "died")
        else:
            has_grown = answers.memory_bytes > self.settings.worker_memory_mb << 20
            if has_grown or not workers.is_wanted(call.worker):
                workers.stop(call.worker)
            else:
                workers.idle.append(call.worker)
            yield from zip(chunk.requests, answers.answers, strict=True)

    def _try_again[Picture](
        self, call: _Call[Picture], again: deque[_Chunk[Picture]], most_losses: int, what: str
    ) -> Iterator[tuple[Request[Picture], FailedRequest]]:
        """Have a chunk whose worker is gone tried again as it was, so many times; after that, blame it.

        Args:
            call: In which its worker went.
            again: Takes what is tried again.
            most_losses: Calls that the chunk may lose in this way.
            what: Became of the worker.
        """
        chunk = call.chunk
        self.stats.lost_workers += 1
        if chunk.losses < most_losses:
            chunk.losses += 1
            self.stats.retried += chunk.num_pictures
            again.append(chunk)
        else:
            chunk.deaths += 1
            yield from self._blame(call, again, what)

    def _blame[Picture](
        self, call: _Call[Picture], again: deque[_Chunk[Picture]], what: str
    ) -> Iterator[tuple[Request[Picture], FailedRequest]]:
        """Try every request of a chunk that cost a worker alone; fail one that costs them alone."""
        chunk = call.chunk
        first = chunk.requests[0]
        if isinstance(first, ManyPictures):  # whoever asked for so many divides them
            self.stats.retried += chunk.num_pictures
            yield first, FailedRequest(first.sample_id, "a worker died while rendering it")
            return
        if len(chunk.requests) > 1:
            again.extend(_Chunk((request,)) for request in chunk.requests)
        elif chunk.deaths < _STRIKES:
            again.append(chunk)
        else:
            (request,) = chunk.requests
            slow = time.monotonic() - call.started_s >= self.settings.timeout_s
            reason = (
                f"not rendered within {self.settings.timeout_s:g} s" if slow else f"{what} while rendering it"
            )
            yield request, FailedRequest(request.sample_id, f"{chunk.deaths} workers {reason}")
            return
        self.stats.retried += len(chunk.requests)

    def _end_overdue(self, running: dict[Any, _Call[Any]]) -> None:
        """Kill workers that should long have ended themselves, because they or their machine are frozen."""
        now_s = time.monotonic()
        if now_s < self._look_again_s:
            return
        self._look_again_s = now_s + _LOOK_EVERY_S
        for call in running.values():
            limit_s = call.chunk.num_pictures * self.settings.timeout_s + _GRACE_S
            state = call.worker.state
            if state is not None and not state.device.is_cpu:
                limit_s += KERNELS_S
            if now_s - call.started_s > limit_s:
                self._ready_engine().kill(call.worker.actor)

    def _ready_workers(self) -> WorkerSet:
        """Return the workers, of which at least one is ready."""
        if self._workers is None:
            self._workers = WorkerSet(self._ready_engine(), self.settings, address=self._address)
        workers = self._workers
        while True:
            workers.follow()
            if workers.num_ready:
                return workers
            for reference in workers.ready([*workers.starting]):
                workers.admit(reference)
            workers.warn_once_or_give_up()

    def _ready_engine(self) -> Engine:
        """Return what runs the workers, started or joined."""
        if self._engine is None:
            connect(self._address)
            self._engine = RayEngine(
                self.settings,
                CappedMesh.of(self.hand_model),
                self.photographs,
                start_scene=self._start_scene,
                offered=self._offered(),
            )
        return self._engine

    def _offered(self) -> Any:
        if self._address is not None:
            return slots_of_cluster
        (slots,) = slots_of_this_machine(self.settings)
        if self.settings.workers is not None and self.settings.workers > slots.count:
            raise RenderError(
                (
                    f"render pool: expected at most {slots.count} workers on this machine, found "
                    f"{self.settings.workers}."
                ),
                remedy="Ask for fewer.",
            )
        return partial(slots_of_this_machine, self.settings)
