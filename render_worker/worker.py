"""Draws requests one after the other, in whatever process it lives in."""

import faulthandler
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple, Protocol

import psutil

from render_worker.picture.background import Photographs
from render_worker.picture.mesh import CappedMesh
from render_worker.picture.request import Scene
from render_worker.release import Release, this_release
from shared.errors import BackgroundError, RenderError
from shared.seams.renderer import RenderSettings

KERNELS_S: Final = 1800.0
"""What a GPU may take for its first picture, for which it compiles its kernels."""


@dataclass(frozen=True, slots=True)
class Studio:
    """Everything that a request may use to draw itself.

    Attributes:
        scene: Draws hands.
        mesh: Their triangles.
        photographs: What is behind them.
        settings: How pictures are made.
    """

    scene: Scene
    mesh: CappedMesh
    photographs: Photographs
    settings: RenderSettings


type SceneStarter = Callable[[CappedMesh, RenderSettings], Scene]


class Request[Picture](Protocol):
    """A picture to make. Its randomness comes from seeds that it carries, so making it twice is safe."""

    @property
    def sample_id(self) -> str:
        """Name of the picture, for errors."""
        ...

    def draw(self, studio: Studio) -> Picture:
        """Make the picture.

        Raises:
            RenderError: This one cannot be made; others can.
        """
        ...


@dataclass(frozen=True, slots=True)
class FailedRequest:
    """A picture that cannot be made.

    Attributes:
        sample_id: Name of the picture.
        reason: Why not.
    """

    sample_id: str
    reason: str


class Answers[Picture](NamedTuple):
    """What a worker answers.

    Attributes:
        answers: A picture, or the reason why there is none, per request and in their order.
        memory_bytes: Resident memory of the worker's process afterwards.
    """

    answers: list[Picture | FailedRequest]
    memory_bytes: int


@dataclass(slots=True)
class PoolStats:
    """How a pool fares, to be watched.

    Attributes:
        workers: Workers that can draw, or do.
        most_workers: The most at any moment.
        lost_workers: Workers that died, hung, or went away with their machine in the middle of a picture.
        retried: Pictures that were asked for again because of that.
    """

    workers: int = 0
    most_workers: int = 0
    lost_workers: int = 0
    retried: int = 0

    def record(self, *, workers: int) -> None:
        """Note how many workers there are at this moment."""
        self.workers = workers
        self.most_workers = max(self.most_workers, workers)


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What a worker says about itself.

    Attributes:
        bpy_version: Version of Blender.
        device: Device that really draws.
        release: What is installed around it.
    """

    bpy_version: str
    device: str
    release: Release


def start_blender(mesh: CappedMesh, settings: RenderSettings) -> Scene:
    """Start Blender in this process.

    Raises:
        RenderError: Blender is not installed for this Python.
        DeviceError: The device that the settings ask for does not exist.
    """
    try:
        from render_worker.blender.scene import HandScene  # imports bpy: here, and nowhere earlier
    except ModuleNotFoundError as error:
        if error.name != "bpy":
            raise
        version = ".".join(map(str, sys.version_info[:2]))
        raise RenderError(
            f"rendering: expected Python 3.13 with bpy installed, found Python {version} without it.",
            remedy="Render in an environment made by `make setup`.",
        ) from error
    return HandScene(mesh, settings)


class RenderWorker:
    """Draws one request at a time.

    Blender keeps its state in globals of the process. A worker therefore owns one process, one scene and one
    thread; parallelism comes from running more workers, never from sharing one.

    Args:
        mesh: The hand that is drawn.
        settings: How pictures are made.
        photographs: What is behind the hands.
        start_scene: Replaces Blender in tests.
    """

    def __init__(
        self,
        mesh: CappedMesh,
        settings: RenderSettings,
        *,
        photographs: Photographs,
        start_scene: SceneStarter = start_blender,
    ) -> None:
        self._start = (mesh, settings, photographs, start_scene)
        self._has_drawn = False

    @cached_property
    def _studio(self) -> Studio:
        """Made on first use, so that in an actor its errors reach the caller as they are."""
        mesh, settings, photographs, start_scene = self._start
        return Studio(start_scene(mesh, settings), mesh, photographs, settings)

    def draw[Picture](self, requests: Sequence[Request[Picture]]) -> Answers[Picture]:
        """Draw all requests; one that cannot be drawn does not keep the others from it.

        A picture that takes longer than the settings allow takes the process with it: nothing else stops
        Blender in the middle of a render.
        """
        answers: list[Picture | FailedRequest] = []
        for request in requests:
            with _dead_after(self._limit_s()):
                try:
                    answers.append(request.draw(self._studio))
                except (RenderError, BackgroundError) as error:
                    answers.append(FailedRequest(request.sample_id, str(error)))
            self._has_drawn = True
        return Answers(answers, psutil.Process().memory_info().rss)

    def _limit_s(self) -> float:
        """Return how long the next picture may take."""
        compiles = not self._has_drawn and not self._studio.scene.device.startswith("CPU")
        return self._studio.settings.timeout_s + (KERNELS_S if compiles else 0.0)

    def state(self) -> WorkerState:
        """Return what the worker draws with; starts Blender and fetches the photographs if need be."""
        scene, _ = self._studio.scene, len(self._studio.photographs)
        return WorkerState(scene.bpy_version, scene.device, this_release())


@contextmanager
def _dead_after(seconds: float) -> Iterator[None]:
    """End this process, with a traceback in its log, if the block takes longer; works while C code hangs."""
    faulthandler.dump_traceback_later(seconds, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
