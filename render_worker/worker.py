"""Renders requests one after the other, in whatever process it lives in."""

import faulthandler
import sys
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Final

import psutil

from render_worker.drawing_device import DrawingDevice
from render_worker.picture.background import Photographs
from render_worker.picture.mesh import CappedMesh
from render_worker.picture.probe import probe_of
from render_worker.picture.request import NotDrawnError, Scene
from render_worker.release import this_release
from render_worker.requests import (
    KERNELS_S,
    Answers,
    FailedRequest,
    ManyPictures,
    RenderContext,
    Request,
    WorkerState,
)
from shared.errors import BackgroundError, DeviceError, RenderError
from shared.seams.renderer import RenderSettings

_LOOK: Final = "Look at the driver's messages there, and restart it."

type SceneStarter = Callable[[CappedMesh, RenderSettings], Scene]


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
    """Renders one request at a time.

    Blender keeps its state in globals of the process. A worker therefore owns one process, one scene and one
    thread; parallelism comes from running more workers, never from sharing one.

    Args:
        mesh: The hand that is rendered.
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
        self._has_begun = False

    @cached_property
    def _context(self) -> RenderContext:
        """Made on first use, so that in an actor its errors reach the caller as they are."""
        mesh, settings, photographs, start_scene = self._start
        scene = start_scene(mesh, settings)
        return RenderContext(
            scene=scene,
            mesh=mesh,
            photographs=photographs,
            settings=settings,
            begin_picture=self._begin_picture,
            begin_files=self._begin_files,
            doubt_device=self._require_drawing,
            require_device=self._require_device,
        )

    def render[Picture](self, requests: Sequence[Request[Picture]]) -> Answers[Picture]:
        """Render all requests; one that cannot be rendered does not keep the others from it.

        A picture that takes longer than the settings allow takes the process with it: nothing else stops
        Blender in the middle of a render.

        Raises:
            DeviceError: What draws is not what drew at the start, or draws nothing any more.
        """
        answers: list[Picture | FailedRequest] = []
        for request in requests:
            if not isinstance(request, ManyPictures):
                self._begin_picture()
            try:
                answers.append(request.render(self._context))
            except (RenderError, BackgroundError) as error:
                self._require_drawing(error)
                answers.append(FailedRequest(request.sample_id, str(error)))
            finally:
                faulthandler.cancel_dump_traceback_later()
        return Answers(answers, psutil.Process().memory_info().rss, self._require_device())

    def _begin_picture(self) -> None:
        """Have this process end, with a traceback in its log, if a picture takes too long from now on."""
        compiles = not self._has_begun and not self._device.is_cpu
        self._end_after(self._context.settings.timeout_s + (KERNELS_S if compiles else 0.0))
        self._has_begun = True

    def _begin_files(self) -> None:
        """Have it end if files take too long from now on."""
        self._end_after(self._context.settings.timeout_s)

    @staticmethod
    def _end_after(limit_s: float) -> None:
        faulthandler.dump_traceback_later(limit_s, exit=True)  # works while C code hangs

    def state(self) -> WorkerState:
        """Return what the worker renders with; starts Blender and fetches the photographs if need be."""
        scene, _ = self._context.scene, len(self._context.photographs)
        return WorkerState(scene.bpy_version, self._device, this_release())

    @cached_property
    def _device(self) -> DrawingDevice:
        """What drew at the start."""
        return self._context.scene.device

    def _require_device(self) -> DrawingDevice:
        """Return what draws now.

        Raises:
            DeviceError: It is not what drew at the start.
        """
        found = self._context.scene.device
        if found != self._device:
            raise DeviceError(f"expected to draw with {self._device} as at the start, found {found}.", _LOOK)
        return found

    def _require_drawing(self, error: Exception) -> None:
        """Make sure that a picture failed for its own sake: a GPU that fails leaves empty ones behind.

        Args:
            error: Of the picture.

        Raises:
            DeviceError: The device draws nothing any more, or is another one.
        """
        device = self._require_device()
        was_tried = isinstance(error, NotDrawnError)
        if not was_tried or device.is_cpu or self._context.mesh.open_hand is None:
            return
        try:
            self._context.scene.render(probe_of(self._context.mesh.open_hand))
        except RenderError as failure:
            raise DeviceError(
                f"expected {device} to draw, found that it fails: {failure.message}", _LOOK
            ) from failure
