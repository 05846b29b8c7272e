"""A render pool of plain processes: one node needs no Ray, and Ray does not travel."""

import itertools
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from threading import Event
from typing import Any, Final, Self

from render_worker.picture.mesh import CappedMesh
from render_worker.requests import Answers, FailedRequest, PoolStats, Request, WorkerState, in_calls
from render_worker.twins.round import render_round
from render_worker.worker import RenderWorker
from shared.backgrounds import BackgroundReader
from shared.hand_model import HandModel
from shared.seams.renderer import RenderJob, RenderReport, RenderSettings

_CHUNK: Final = 8
_worker: RenderWorker


def _begin(mesh: CappedMesh, settings: RenderSettings, photographs: BackgroundReader) -> None:
    global _worker
    _worker = RenderWorker(mesh, settings, photographs=photographs)


def _draw(requests: Sequence[Request[Any]]) -> Answers[Any]:
    return _worker.render(requests)


def _state() -> WorkerState:
    return _worker.state()


@contextmanager
def _as_before_blender() -> Iterator[None]:
    """Hide the folders that Blender has put on the path: who inherits them finds another ``bpy``."""
    before = list(sys.path)
    sys.path[:] = [path for path in before if "/bpy/" not in path]
    try:
        yield
    finally:
        sys.path[:] = before


class LocalPool:
    """Renders with some processes, one Blender in each: a `render_worker.requests.RequestRenderer`.

    Unlike the project's own pool, it survives no crash.

    Args:
        settings: How pictures are made, and by how many processes.
        hand_model: Whose meshes are rendered.
        backgrounds_dir: Database of photographs.
    """

    def __init__(self, settings: RenderSettings, hand_model: HandModel, backgrounds_dir: Path) -> None:
        self.settings, self.hand_model = settings, hand_model
        self.photographs = BackgroundReader(backgrounds_dir)
        self._count = settings.workers or 1
        self._stats = PoolStats(workers=self._count, most_workers=self._count)
        self._pool = ProcessPoolExecutor(
            self._count,
            mp_context=get_context("spawn"),
            initializer=_begin,
            initargs=(CappedMesh.of(hand_model), settings, self.photographs),
        )
        with _as_before_blender():
            self._states = [self._pool.submit(_state) for _ in range(self._count)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    @property
    def stats(self) -> PoolStats:
        """How the pool fares."""
        return self._stats

    def start(self) -> WorkerState:
        """Return what the workers render with."""
        return self._states[0].result()

    def render[Picture](
        self, requests: Iterable[Request[Picture]]
    ) -> Iterator[tuple[Request[Picture], Picture | FailedRequest]]:
        """Yield every request with its picture or a refusal, in any order."""
        chunks = in_calls(requests, _CHUNK)
        running: dict[Future[Answers[Any]], tuple[Request[Picture], ...]] = {}
        for chunk in itertools.islice(chunks, 2 * self._count):
            running[self._pool.submit(_draw, chunk)] = chunk
        while running:
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                yield from zip(running.pop(done), done.result().answers, strict=True)
                if (chunk_or_none := next(chunks, None)) is not None:
                    running[self._pool.submit(_draw, chunk_or_none)] = chunk_or_none

    def render_round(self, job: RenderJob, *, stop: Event | None = None) -> RenderReport:
        """Render every prediction of a round, and commit it."""
        return render_round(self, job, stop=stop)
