"""A pool of Blender processes on one machine or many, which survives the death of any of them."""

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from threading import Event
from types import TracebackType
from typing import Any, Final, Self, cast

import ray
from ray.exceptions import ObjectLostError, OutOfMemoryError, RayActorError, RayTaskError

from render_worker.actor import RenderActor, connect
from render_worker.mesh import CappedMesh
from render_worker.twin_round import render_round
from render_worker.worker import Batch, Refusal, Request, SceneStarter, WorkerState, start_blender
from shared.backgrounds import BackgroundReader
from shared.errors import MeshcycleError
from shared.hand_model import HandModel
from shared.place import Place
from shared.renderer import RenderJob, RenderReport, RenderSettings

_CHUNK: Final = 8
"""Pictures per call: enough to forget the cost of a call, few enough for all workers to finish together."""
_STRIKES: Final = 2
"""Workers that a single request may kill before it is given up."""


@dataclass(eq=False)
class _Chunk[Picture]:
    """Requests that one worker draws in one call, and how many workers have died of them."""

    requests: tuple[Request[Picture], ...]
    deaths: int = 0


class RenderPool:
    """Draws whatever it is asked for; a `shared.renderer.Renderer`.

    Entering it is cheap. The first use starts Ray and the workers, and they stay for the next.

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
        self._address = address
        self._start_scene = start_scene
        self._workers: list[Any] = []
        self._gpu_share = 0.0
        self._state: WorkerState | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the workers; they start again when they are needed. Ray itself stays for the next pool."""
        self._state = None
        while self._workers:
            ray.kill(self._workers.pop())

    def start(self) -> WorkerState:
        """Start the workers unless they run, and return what the first of them draws with.

        Raises:
            RenderError: There is no cluster, or no Blender for this Python.
            DeviceError: The device that the settings ask for does not exist.
        """
        if self._state is None:
            crew = connect(self._address, self.settings)
            self._gpu_share = crew.gpu_share
            self._workers = [self._new_worker() for _ in range(crew.num_workers)]
            self._state = cast("WorkerState", _result(self._workers[0].state.remote()))
        return self._state

    @property
    def num_workers(self) -> int:
        """Number of running workers; zero before the first use."""
        return len(self._workers)

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
        its place, and what it was drawing is halved and tried again, until the request that kills workers is
        alone and refused.
        """
        self.start()
        fresh = map(_Chunk, itertools.batched(requests, _CHUNK))
        again: deque[_Chunk[Picture]] = deque()
        idle = list(range(len(self._workers)))
        running: dict[Any, tuple[int, _Chunk[Picture]]] = {}
        while True:
            while idle and (chunk := again.popleft() if again else next(fresh, None)):
                place = idle.pop()
                running[self._workers[place].draw.remote(chunk.requests)] = (place, chunk)
            if not running:
                return
            (ready, *_), _ = ray.wait(list(running))
            place, chunk = running.pop(ready)
            idle.append(place)
            try:
                batch = cast("Batch[Picture]", _result(ready))
            except (RayActorError, ObjectLostError, OutOfMemoryError):
                self._replace(place)
                chunk.deaths += 1
                if len(chunk.requests) == 1 and chunk.deaths >= _STRIKES:
                    reason = f"{chunk.deaths} workers died while drawing it"
                    yield chunk.requests[0], Refusal(chunk.requests[0].sample_id, reason)
                else:
                    again.extend(_halves(chunk))
            else:
                if batch.memory_bytes > self.settings.worker_memory_mb << 20:
                    self._replace(place)
                yield from zip(chunk.requests, batch.answers, strict=True)

    def _replace(self, place: int) -> None:
        """Put a fresh worker in the place of one that died or grew too large."""
        ray.kill(self._workers[place])
        self._workers[place] = self._new_worker()

    def _new_worker(self) -> Any:
        return RenderActor.options(num_gpus=self._gpu_share).remote(
            CappedMesh.of(self.hand_model),
            self.settings,
            photographs=self.photographs,
            start_scene=self._start_scene,
        )


def _halves[Picture](chunk: _Chunk[Picture]) -> list[_Chunk[Picture]]:
    """Split a chunk that killed a worker; a single request stays as it is, with its strike."""
    if len(chunk.requests) == 1:
        return [chunk]
    middle = len(chunk.requests) // 2
    return [_Chunk(chunk.requests[:middle]), _Chunk(chunk.requests[middle:])]


def _result(reference: Any) -> object:
    """Wait for a result; an error that a worker raised for the user arrives as itself."""
    try:
        return cast("object", ray.get(reference))
    except RayTaskError as error:
        if isinstance(error.cause, MeshcycleError):
            raise error.cause from None
        raise
