"""Stand-ins for Blender and for photographs, and requests that misbehave on purpose."""

import io
import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from render_worker.drawing_device import DrawingDevice
from render_worker.picture.camera import hand_box
from render_worker.picture.mesh import CappedMesh
from render_worker.picture.request import HandGeometry, HandLayer, NotDrawnError, RenderRequest
from render_worker.requests import FailedRequest, PoolStats, RenderContext, Request, WorkerState
from render_worker.worker import RenderWorker
from shared.backgrounds import BackgroundReader, BackgroundWriter
from shared.backgrounds.verdicts import Verdict
from shared.errors import DeviceError
from shared.hand_model import HandModel, load_hand_model
from shared.seams.renderer import RenderSettings


@cache
def open_hand() -> HandModel:
    return load_hand_model()


class FlatScene:
    """Renders the box of a hand, all covered, in its brightest colour: a `Scene`."""

    bpy_version = "none"
    device = DrawingDevice("CPU", ("flat",))

    def __init__(self, mesh: CappedMesh | None = None, settings: RenderSettings | None = None) -> None:
        pass

    def render(self, request: RenderRequest) -> HandLayer:
        box = hand_box(
            request.verts_m, request.camera, width_px=request.width_px, height_px=request.height_px
        )
        rgba = np.ones((box.bottom_px - box.top_px, box.right_px - box.left_px, 4), np.float32)
        rgba[..., :3] = np.broadcast_to(request.albedo, (len(request.verts_m), 3)).max(axis=0)
        marked = None if request.marked is None else np.ones(rgba.shape[:2], np.float32)
        return HandLayer(rgba, box, marked)

    def measure(self, request: RenderRequest) -> HandGeometry:
        layer = self.render(request)
        shape = layer.rgba.shape[:2]
        return HandGeometry(np.ones(shape, np.float32), np.zeros((*shape, 3), np.float32), layer.box)


@dataclass
class GpuThatMayDisappear(FlatScene):
    """Draws with the GPU that Ray gave to its process, which is gone once a file of its name says so.

    Attributes:
        gone: Folder for these files.
        fails: Whether pictures fail, as those of a broken GPU do.
    """

    gone: Path
    fails: bool = False

    @property
    def gpu(self) -> str:
        """Which GPU this process may see."""
        return os.environ.get("CUDA_VISIBLE_DEVICES", "all of them")

    @property
    def device(self) -> DrawingDevice:  # type: ignore[override]
        if (self.gone / self.gpu).exists():
            return DrawingDevice("CPU", ("a processor",))
        return DrawingDevice("OPTIX", (f"GPU {self.gpu}",))

    def render(self, request: RenderRequest) -> HandLayer:
        if self.fails:
            raise NotDrawnError("expected a hand, found nothing.")
        return super().render(request)


def start_on_gpu(mesh: CappedMesh, settings: RenderSettings, *, gone: Path) -> GpuThatMayDisappear:
    """Start a scene on the GPU of this process, and refuse to as Blender does if it is gone."""
    scene = GpuThatMayDisappear(gone)
    if scene.device.is_cpu and settings.device != "auto":
        raise DeviceError(f"--device {settings.device}: expected an OPTIX device, found {scene.device}.")
    return scene


class DrewOn(NamedTuple):
    """Which process answered, and which GPU it may see."""

    process: int
    gpu: str


@dataclass(frozen=True)
class AnswersItsGpu:
    """A request that answers where it was drawn.

    Attributes:
        sample_id: Its name.
        gone: If given, the GPU of whoever draws this first disappears.
    """

    sample_id: str
    gone: Path | None = None

    def render(self, context: RenderContext) -> DrewOn:
        gpu = os.environ.get("CUDA_VISIBLE_DEVICES", "all of them")
        if self.gone is not None and not [*self.gone.iterdir()]:
            (self.gone / gpu).touch()
        time.sleep(0.05)  # so that all workers have something to do
        return DrewOn(os.getpid(), gpu)


def refuse_device(mesh: CappedMesh, settings: RenderSettings) -> FlatScene:
    """Start a scene on a machine without the device that the settings ask for."""
    raise DeviceError(f"--device {settings.device}: expected an OPTIX device, found none.")


class PlainPhotographs:
    """Photographs of one colour each: a `render_worker.picture.background.Photographs`."""

    fingerprint = "plain"
    colours = ((20, 30, 40), (200, 180, 160), (90, 120, 60), (250, 250, 250))

    def __len__(self) -> int:
        return len(self.colours)

    def key(self, position: int) -> str:
        return f"plain/{position}"

    def image_bytes(self, position: int) -> bytes:
        file = io.BytesIO()
        Image.new("RGB", (96, 80), self.colours[position]).save(file, "PNG")
        return file.getvalue()


class HomeRenderer:
    """Renders in this process, last request first: a `render_worker.requests.RequestRenderer` without Ray.

    Args:
        backgrounds: Database of photographs.
        stop_after: Pictures after which the user presses Ctrl-C.
    """

    def __init__(self, backgrounds: Path, *, stop_after: int | None = None) -> None:
        self.settings = RenderSettings()
        self.stats = PoolStats(workers=1)
        self.hand_model = open_hand()
        self.photographs = BackgroundReader(backgrounds)
        self.stop_after = stop_after
        self._worker = RenderWorker(
            CappedMesh.of(self.hand_model),
            self.settings,
            photographs=self.photographs,
            start_scene=FlatScene,
        )

    def start(self) -> WorkerState:
        return self._worker.state()

    def render[Picture](
        self, requests: Iterable[Request[Picture]]
    ) -> Iterator[tuple[Request[Picture], Picture | FailedRequest]]:
        for number, request in enumerate(reversed(list(requests))):
            if number == self.stop_after:
                raise KeyboardInterrupt
            yield request, self._worker.render([request]).answers[0]


@dataclass(frozen=True)
class LeaksMemory:
    """A request that leaves memory behind in its process, and answers with that process's number."""

    sample_id: str
    leaked_mb: int

    def render(self, context: RenderContext) -> int:
        _leaked.append(b"x" * (self.leaked_mb << 20))
        return os.getpid()


_leaked: list[bytes] = []


@dataclass(frozen=True)
class AnswersItsName:
    """A `render_worker.requests.Request` that answers with its own name."""

    sample_id: str

    def render(self, context: RenderContext) -> str:
        return self.sample_id


@dataclass(frozen=True)
class AnswersWithNoise:
    """A request that answers with a photograph of noise, which nobody else sends."""

    sample_id: str
    seed: int

    def render(self, context: RenderContext) -> bytes:
        return noise_jpeg(self.seed)


def noise_jpeg(seed: int) -> bytes:
    """Return a photograph of noise."""
    file = io.BytesIO()
    noise = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(file, "JPEG")
    return file.getvalue()


@dataclass(frozen=True)
class KillsItsWorker:
    """A request that kills the process that renders it, some times, and then answers with its own name.

    Attributes:
        sample_id: Its name.
        kills: File with one character for every further process to kill.
    """

    sample_id: str
    kills: Path

    def render(self, context: RenderContext) -> str:
        if left := self.kills.read_text():
            self.kills.write_text(left[1:])
            os._exit(1)
        return self.sample_id


@dataclass(frozen=True)
class NeverEnds:
    """A request that leaves a file to say that it is being rendered, and is rendered for ever."""

    sample_id: str
    begun: Path

    def render(self, context: RenderContext) -> str:
        self.begun.touch()
        while True:
            time.sleep(1)


def write_backgrounds(folder: Path) -> Path:
    """Write a database of the plain photographs."""
    photographs = PlainPhotographs()
    positions = range(len(photographs))
    with BackgroundWriter(folder) as writer:
        writer.add(
            [Verdict(key=photographs.key(position), codec="png", detector="none") for position in positions],
            {photographs.key(position): photographs.image_bytes(position) for position in positions},
        )
        writer.publish(np.ones(len(photographs), dtype=bool), rules={})
    return folder
