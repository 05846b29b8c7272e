"""A render farm inside of this process: the pool's own bookkeeping, without Ray, Blender or waiting."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from render_worker.picture.mesh import CappedMesh
from render_worker.picture.request import HandLayer, RenderRequest
from render_worker.ray_farm.engine import WorkerDiedError, WorkerLostError
from render_worker.ray_farm.slots import RenderSlots
from render_worker.requests import Request
from render_worker.worker import RenderWorker
from shared.backgrounds import BackgroundReader
from shared.errors import DeviceError
from shared.seams.renderer import RenderSettings
from shared.seeds import seed_of
from tests.support.small_farm import ROUND_INDEX, RUN_SEED
from tests.support.small_scene import FlatScene, open_hand

type Fault = Callable[[], None]


def dies() -> None:
    raise WorkerDiedError("killed")


def is_lost() -> None:
    raise WorkerLostError("no way to it")


def loses_its_device() -> None:
    raise DeviceError("expected to draw with a GPU, found that it fails.")


def is_interrupted() -> None:
    raise KeyboardInterrupt


@dataclass
class HomeEngine:
    """Draws when it is waited for, one call after the other: an `Engine`.

    Attributes:
        settings: How pictures are made.
        backgrounds: Database of photographs.
        workers: So many.
        faults: What happens when a sample is drawn, by name, as often as it is listed.
        calls: All requests, call by call.
    """

    settings: RenderSettings
    backgrounds: Path
    workers: int = 2
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    calls: list[Sequence[Request[Any]]] = field(default_factory=list)
    _waiting: deque[tuple[object, Callable[[], object]]] = field(default_factory=deque)
    _results: dict[object, Callable[[], object]] = field(default_factory=dict)

    def offered(self) -> list[RenderSlots]:
        return [RenderSlots(node_id="here", host="here", count=self.workers, device="cpu", gpu_share=0.0)]

    def start(self, slots: RenderSlots) -> RenderWorker:
        planned = {
            seed_of(seed_of(RUN_SEED, "round", ROUND_INDEX, name), "noise"): faults
            for name, faults in self.faults.items()
        }
        return RenderWorker(
            CappedMesh.of(open_hand()),
            self.settings,
            photographs=BackgroundReader(self.backgrounds),
            start_scene=lambda mesh, settings: _FailingScene(planned),
        )

    def state(self, worker: RenderWorker) -> object:
        return self._ask(worker.state)

    def render(self, worker: RenderWorker, requests: Sequence[Request[Any]]) -> object:
        self.calls.append(requests)
        return self._ask(lambda: worker.render(requests))

    def wait(self, references: Sequence[object], timeout_s: float) -> list[object]:
        asked = set(references)
        reference, work = next(each for each in self._waiting if each[0] in asked)
        self._waiting.remove((reference, work))
        try:
            answer = work()
        except (WorkerDiedError, WorkerLostError, DeviceError) as error:
            self._results[reference] = partial(_raise, error)
        else:
            self._results[reference] = lambda: answer
        return [reference]

    def result(self, reference: object) -> object:
        return self._results.pop(reference)()

    def kill(self, worker: RenderWorker) -> None:
        pass

    def _ask(self, work: Callable[[], object]) -> object:
        reference = object()
        self._waiting.append((reference, work))
        return reference


class _FailingScene(FlatScene):
    def __init__(self, faults: dict[int, list[Fault]]) -> None:
        self._faults = faults

    def render(self, request: RenderRequest) -> HandLayer:
        if left := self._faults.get(request.seed):
            left.pop()()
        return super().render(request)


def _raise(error: Exception) -> object:
    raise error
