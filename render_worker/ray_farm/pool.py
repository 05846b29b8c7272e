"""A pool of Blender processes on one machine or many, which survives the death of any of them."""

import itertools
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from threading import Event
from types import TracebackType
from typing import Any, Final, Self, cast

import ray
from ray.exceptions import (
    ActorUnavailableError,
    ActorUnschedulableError,
    ObjectLostError,
    OutOfMemoryError,
    RayActorError,
)

from render_worker.picture.mesh import CappedMesh
from render_worker.ray_farm.actor import RenderActor, connect
from render_worker.ray_farm.slots import Offer, offers_of_cluster, offers_of_this_machine
from render_worker.ray_farm.workers import Crew, Worker, result_of
from render_worker.twins.round import render_round
from render_worker.worker import (
    KERNELS_S,
    Batch,
    Refusal,
    Request,
    SceneStarter,
    Tally,
    WorkerState,
    start_blender,
)
from shared.backgrounds import BackgroundReader
from shared.errors import RenderError
from shared.hand_model import HandModel
from shared.seams.renderer import RenderJob, RenderReport, RenderSettings
from shared.storage.location import Place

_CHUNK: Final = 8
"""Pictures per call: enough to forget the cost of a call, few enough for all workers to finish together."""
_STRIKES: Final = 2
"""Workers that a single request may kill before it is given up."""
_LOSSES: Final = 5
"""Calls of a chunk that may be lost with their machine until it is blamed: a request kills no machines."""
_GRACE_S: Final = 30.0
"""A worker ends itself when a picture takes too long; this much later, the pool ends it from outside."""


@dataclass(eq=False)
class _Chunk[Picture]:
    """Requests that one worker draws in one call, how many workers died of them, and how many were lost."""

    requests: tuple[Request[Picture], ...]
    deaths: int = 0
    losses: int = 0


@dataclass(eq=False)
class _Call[Picture]:
    """A chunk that is being drawn."""

    worker: Worker
    chunk: _Chunk[Picture]
    started_s: float


class RenderPool:
    """Draws whatever it is asked for; a `shared.seams.renderer.Renderer`.

    Entering it is cheap. The first use starts or joins Ray and hires the workers, and they stay for the next.
    Machines may join and leave at any time, also in the middle of a round.

    Args:
        settings: How pictures are made, and by how many workers.
        hand_model: Whose hands will be drawn.
        backgrounds: What ``filter-backgrounds`` wrote: a folder that every worker can read, or a URL.
        address: Of a running Ray cluster; None starts one on this machine.
        start_scene: Replaces Blender in tests.
    """

    def __init__(
        self,
        settings: RenderSettings,
        hand_model: HandModel,
        backgrounds: Place,
        *,
        address: str | None = None,
        start_scene: SceneStarter = start_blender,
    ) -> None:
        self.settings = settings
        self.hand_model = hand_model
        self.photographs = BackgroundReader(backgrounds)
        self.tally = Tally()
        self._address = address
        self._start_scene = start_scene
        self._crew: Crew | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the workers; they start again when they are needed. Ray itself stays for the next pool."""
        if self._crew is not None:
            self._crew.close()
            self._crew = None

    def start(self) -> WorkerState:
        """Hire workers unless they are there, and return what one of them draws with.

        Raises:
            RenderError: There is no cluster, nobody to draw, or no Blender for this Python.
            DeviceError: The device that the settings ask for does not exist.
        """
        crew = self._ready_crew()
        assert crew.state is not None, "a crew is ready when one worker is"
        return crew.state

    def render_round(self, job: RenderJob, *, stop: Event | None = None) -> RenderReport:
        """Draw every prediction exactly once, or quarantine it by name; then commit the round.

        Raises:
            ShardError: There are no predictions, or they cannot be read.
            RenderStopped: Another thread set `stop`.
        """
        return render_round(self, job, stop=stop)

    def draw[Picture](
        self, requests: Iterable[Request[Picture]]
    ) -> Iterator[tuple[Request[Picture], Picture | Refusal]]:
        """Yield every request with its picture, or with the reason why there is none, as they become ready.

        Requests are taken from the iterable only as workers become free. When a worker dies, another takes
        its place; each of the requests that it was drawing is tried again alone, and one that kills workers
        alone is refused. What is lost with a whole machine is drawn again as it was.
        """
        crew = self._ready_crew()
        self.tally = Tally(workers=crew.num_ready)
        fresh = map(_Chunk, itertools.batched(requests, _CHUNK))
        again: deque[_Chunk[Picture]] = deque()
        waiting = next(fresh, None)
        running: dict[Any, _Call[Picture]] = {}
        try:
            while waiting or running:
                crew.follow()
                while crew.idle and waiting:
                    worker = crew.idle.pop()
                    reference = worker.actor.draw.remote(waiting.requests)
                    running[reference] = _Call(worker, waiting, time.monotonic())
                    waiting = again.popleft() if again else next(fresh, None)
                for reference in crew.ready([*running, *crew.starting]):
                    if reference in crew.starting:
                        crew.welcome(reference)
                    else:
                        yield from self._finish(crew, running.pop(reference), reference, again)
                self._end_overdue(running)
                crew.be_patient()
                self.tally.see(workers=crew.num_ready)
                waiting = waiting or (again.popleft() if again else None)
        finally:
            for call in running.values():  # the caller wants no more: nothing else ends a call
                crew.dismiss(call.worker)

    def _finish[Picture](
        self, crew: Crew, call: _Call[Picture], reference: Any, again: deque[_Chunk[Picture]]
    ) -> Iterator[tuple[Request[Picture], Picture | Refusal]]:
        """Yield what a call has brought, or put its requests back to be tried again."""
        chunk = call.chunk
        try:
            batch = cast("Batch[Picture]", result_of(reference))
        except (RayActorError, ActorUnschedulableError, ObjectLostError, OutOfMemoryError) as error:
            self.tally.lost_workers += 1
            crew.dismiss(call.worker)
            if chunk.losses < _LOSSES and (_is_lost(error) or not crew.is_there(call.worker)):
                chunk.losses += 1
                self.tally.retried += len(chunk.requests)
                again.append(chunk)
            else:
                chunk.deaths += 1
                yield from self._blame(call, again)
        else:
            if batch.memory_bytes > self.settings.worker_memory_mb << 20 or not crew.is_wanted(call.worker):
                crew.dismiss(call.worker)
            else:
                crew.idle.append(call.worker)
            yield from zip(chunk.requests, batch.answers, strict=True)

    def _blame[Picture](
        self, call: _Call[Picture], again: deque[_Chunk[Picture]]
    ) -> Iterator[tuple[Request[Picture], Refusal]]:
        """Try every request of a chunk that killed a worker alone; refuse one that kills them alone."""
        chunk = call.chunk
        if len(chunk.requests) > 1:
            again.extend(_Chunk((request,)) for request in chunk.requests)
        elif chunk.deaths < _STRIKES:
            again.append(chunk)
        else:
            (request,) = chunk.requests
            slow = time.monotonic() - call.started_s >= self.settings.timeout_s
            reason = f"not drawn within {self.settings.timeout_s:g} s" if slow else "died while drawing it"
            yield request, Refusal(request.sample_id, f"{chunk.deaths} workers {reason}")
            return
        self.tally.retried += len(chunk.requests)

    def _end_overdue(self, running: dict[Any, _Call[Any]]) -> None:
        """Kill workers that should long have ended themselves, because they or their machine are frozen."""
        now_s = time.monotonic()
        for call in running.values():
            limit_s = len(call.chunk.requests) * self.settings.timeout_s + _GRACE_S
            state = call.worker.state
            if state is not None and not state.device.startswith("CPU"):
                limit_s += KERNELS_S
            if now_s - call.started_s > limit_s:
                ray.kill(call.worker.actor)

    def _ready_crew(self) -> Crew:
        """Return the crew, with at least one worker who is ready."""
        if self._crew is None:
            connect(self._address, self.settings)
            self._crew = Crew(self._hire, self._look(), self.settings, address=self._address)
        crew = self._crew
        while True:
            crew.follow()
            if crew.num_ready:
                return crew
            for reference in crew.ready([*crew.starting]):
                crew.welcome(reference)
            crew.be_patient()

    def _look(self) -> Any:
        if self._address is not None:
            return offers_of_cluster
        (offer,) = offers_of_this_machine(self.settings)
        if self.settings.workers is not None and self.settings.workers > offer.slots:
            raise RenderError(
                f"render pool: expected at most {offer.slots} workers on this machine, found "
                f"{self.settings.workers}. Ask for fewer."
            )
        return partial(offers_of_this_machine, self.settings)

    def _hire(self, offer: Offer) -> Any:
        device = {"device": offer.device} if offer.device else {}
        return RenderActor.options(**offer.options).remote(
            CappedMesh.of(self.hand_model),
            self.settings.model_copy(update=device),
            photographs=self.photographs,
            start_scene=self._start_scene,
        )


def _is_lost(error: BaseException) -> bool:
    """Tell whether a call was lost with the way to its worker, which says nothing about the request."""
    return isinstance(error, ActorUnavailableError | ActorUnschedulableError | ObjectLostError)
