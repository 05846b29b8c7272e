"""Measures rendering: where a frame's time goes, how it scales, what more samples would buy, what it keeps.

It needs no data: its hands are the model's template, turned at random, and its photographs are noise.
"""

import io
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image
from scipy.spatial.transform import Rotation

from render_worker.bench.memory import watch_memory
from render_worker.bench.quality import CONVERGED_SAMPLES, QualityPoint, hand_psnr_db, render_all
from render_worker.bench.report import FrameParts, RenderBench
from render_worker.blender.scene import HandScene
from render_worker.picture.background import Photographs, choose_background
from render_worker.picture.composite import composite, encode_jpeg, encode_png
from render_worker.picture.exposure import expose
from render_worker.picture.light import choose_light
from render_worker.picture.mesh import CappedMesh
from render_worker.picture.request import HandLayer, RenderRequest
from render_worker.requests import RenderContext, RequestRenderer
from render_worker.twins.twin import TwinRequest
from shared.backgrounds import BackgroundReader, BackgroundWriter
from shared.backgrounds.verdicts import Verdict
from shared.hand_model import HandModel
from shared.seams.renderer import RenderSettings
from shared.seeds import rng_of
from shared.types import WeakPerspective

type PoolOpener = Callable[[RenderSettings, HandModel, Path], AbstractContextManager[RequestRenderer]]
"""Opens a pool of workers by settings, hand model and folder of backgrounds."""

_PHOTOGRAPH_PX = 256
_CURVE = (1, 2, 4, 6, 8, 12, 16, 32, 64)
_CURVE_HANDS = 12


def bench_render(
    settings: RenderSettings,
    hand_model: HandModel,
    *,
    frames: int = 50,
    max_workers: int = 0,
    image_px: int = 224,
    measure_quality: bool = False,
    steady_frames: int = 0,
) -> RenderBench:
    """Measure rendering on this machine.

    Args:
        settings: How pictures are made.
        hand_model: Whose template is rendered.
        frames: Pictures for every number.
        max_workers: Measure pools of 1, 2, ... up to this many workers; 0 leaves pools out.
        image_px: Side of the pictures.
        measure_quality: Also render the curve of quality against samples; it takes minutes.
        steady_frames: Also render this many twins in one process, and watch its memory.

    Raises:
        RenderError: There is no Blender for this Python.
        DeviceError: The device that the settings ask for does not exist.
    """
    mesh = CappedMesh.of(hand_model)
    requests = [template_twin(hand_model, number, image_px) for number in range(frames)]
    with TemporaryDirectory() as folder:
        photographs = noise_photographs(Path(folder))
        clock = _Clock()
        with clock("start"):
            scene = HandScene(mesh, settings)
        context = RenderContext(scene=scene, mesh=mesh, photographs=photographs, settings=settings)
        with clock("first"):
            requests[0].render(context)
        for request in requests:
            with clock("frame"):
                request.render(context)
        parts = _parts(scene, requests, photographs, settings)
        memory = watch_memory(context, requests, frames=steady_frames) if steady_frames else ()
        device, bpy_version = str(scene.device), scene.bpy_version
        quality = _curve(mesh, settings, requests[:_CURVE_HANDS]) if measure_quality else ()
        rates = {
            workers: pool_rate(_ray_pool, settings, hand_model, photographs.path, requests, workers)
            for workers in range(1, max_workers + 1)
        }
    return RenderBench(
        device=device,
        bpy_version=bpy_version,
        image_px=image_px,
        samples=settings.samples,
        frames=frames,
        start_ms=clock.median_ms("start"),
        first_frame_ms=clock.median_ms("first"),
        frame_ms=clock.median_ms("frame"),
        parts=parts,
        frames_per_s=rates,
        quality=quality,
        memory=memory,
    )


class _Clock:
    """Collects durations by name."""

    def __init__(self) -> None:
        self._times_s: defaultdict[str, list[float]] = defaultdict(list)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        start_s = time.perf_counter()
        yield
        self._times_s[name].append(time.perf_counter() - start_s)

    def median_ms(self, name: str) -> float:
        """Return the median of what was measured under a name."""
        return 1e3 * median(self._times_s[name])

    def median_excess_ms(self, name: str, floor: str) -> float:
        """Return by how much one duration exceeds another of the same frame; frames differ by more."""
        pairs = zip(self._times_s[name], self._times_s[floor], strict=True)
        return 1e3 * median(longer_s - shorter_s for longer_s, shorter_s in pairs)


def _parts(
    scene: HandScene, requests: Sequence[TwinRequest], photographs: Photographs, settings: RenderSettings
) -> FrameParts:
    """Do by hand what `TwinRequest.render` does, and time its parts."""
    clock = _Clock()
    for request in requests:
        with clock("backdrop"):
            background = choose_background(photographs, rng_of(request.sample_id), image_px=request.image_px)
            colour = background.mean_rgb
        with clock("set up"):
            box = scene.set_up(render_request(request))
        with clock("render"):
            scene.run_engine()
        with clock("read back"):
            layer = HandLayer(scene.read_back(box), box)
        with clock("composite"):
            picture = composite(HandLayer(expose(layer.rgba, colour), box), background.pixels)
        with clock("encode"):
            encode_jpeg(picture.pixels, quality=settings.jpeg_quality)
            encode_png(picture.mask)
        with clock("again"):
            scene.run_engine()
    return FrameParts(
        backdrop_ms=clock.median_ms("backdrop"),
        update_ms=clock.median_ms("set up") + max(0.0, clock.median_excess_ms("render", "again")),
        kernel_ms=clock.median_ms("again"),
        read_back_ms=clock.median_ms("read back"),
        composite_ms=clock.median_ms("composite"),
        encode_ms=clock.median_ms("encode"),
    )


def _curve(
    mesh: CappedMesh, settings: RenderSettings, requests: Sequence[TwinRequest]
) -> tuple[QualityPoint, ...]:
    """Render the same hands with more and more samples, each time with other noise than the converged."""
    renders = [render_request(request) for request in requests]
    others = [render_request(request, seed=1) for request in requests]
    converged = render_all(
        HandScene(mesh, settings.model_copy(update={"samples": CONVERGED_SAMPLES})), renders
    )
    points = []
    for samples in _CURVE:
        scene, clock, layers = HandScene(mesh, settings.model_copy(update={"samples": samples})), _Clock(), []
        scene.render(others[0])
        for request in others:
            with clock("render"):
                layers.append(scene.render(request))
        points.append(QualityPoint(samples, hand_psnr_db(layers, converged), clock.median_ms("render")))
    return tuple(points)


def pool_rate(
    open_pool: PoolOpener,
    settings: RenderSettings,
    hand_model: HandModel,
    backgrounds_dir: Path,
    requests: Sequence[TwinRequest],
    workers: int,
) -> float:
    """Return pictures per second of a warm pool."""
    with open_pool(settings.model_copy(update={"workers": workers}), hand_model, backgrounds_dir) as pool:
        for _ in pool.render([*requests] * workers):
            pass  # every worker renders its first frame here
        start_s = time.perf_counter()
        count = sum(1 for _ in pool.render([*requests] * workers))
        return count / (time.perf_counter() - start_s)


def _ray_pool(
    settings: RenderSettings, hand_model: HandModel, backgrounds_dir: Path
) -> AbstractContextManager[RequestRenderer]:
    from render_worker.ray_farm.pool import RenderPool  # loads Ray, which one process does not need

    return RenderPool(settings, hand_model, backgrounds_dir)


def template_twin(model: HandModel, number: int, image_px: int) -> TwinRequest:
    """Return a twin of the template, turned at random, that takes up two thirds of the picture."""
    rng = rng_of("bench", number)
    turned = Rotation.from_rotvec(rng.normal(size=3) * 1.2).apply(model.template_m).astype(np.float32)
    low, high = turned[:, :2].min(axis=0), turned[:, :2].max(axis=0)
    middle = (low + high) / 2
    camera = WeakPerspective(4 / 3 / float((high - low).max()), -float(middle[0]), -float(middle[1]))
    return TwinRequest(
        sample_id=f"{number:08d}",
        verts_m=turned,
        joints_m=(model.joint_regressor @ turned).astype(np.float32),
        camera=camera,
        image_px=image_px,
        round_index=0,
        run_seed=0,
    )


def weak_camera(twin: TwinRequest) -> WeakPerspective:
    """Return the camera of a twin of `template_twin`, which is of the kind that networks predict."""
    assert isinstance(twin.camera, WeakPerspective)
    return twin.camera


def render_request(twin: TwinRequest, *, seed: int = 0) -> RenderRequest:
    """Return the rendering of a twin alone, in a bright colour that shows every error."""
    light = choose_light(rng_of(twin.sample_id, "light"))
    bright = (0.8, 0.8, 0.8)
    return RenderRequest(
        verts_m=twin.verts_m,
        camera=twin.camera,
        width_px=twin.image_px,
        height_px=twin.image_px,
        albedo=bright,
        light=light,
        seed=seed,
    )


def noise_photographs(folder: Path) -> BackgroundReader:
    """Write a database of photographs of noise, as large and as hard to decode as LSUN's."""
    rng = rng_of("bench photographs")
    photographs = {}
    for number in range(8):
        coarse = Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8))
        file = io.BytesIO()
        coarse.resize((_PHOTOGRAPH_PX, _PHOTOGRAPH_PX), Image.Resampling.BICUBIC).save(
            file, "JPEG", quality=90
        )
        photographs[f"noise/{number}"] = file.getvalue()
    with BackgroundWriter(folder) as writer:
        writer.add([Verdict(key=key, codec="jpeg", detector="none") for key in photographs], photographs)
        writer.publish(np.ones(len(photographs), dtype=bool), rules={})
    return BackgroundReader(folder)
