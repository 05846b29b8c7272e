"""What `meshcycle bench render` measures, small, with real Blender."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import ray
from jaxtyping import Float32

from render_worker.bench import frames
from render_worker.bench.frames import bench_render, render_request, template_twin
from render_worker.bench.memory import watch_memory
from render_worker.bench.quality import hand_psnr_db, render_all
from render_worker.bench.report import RenderBench
from render_worker.picture.mesh import CappedMesh
from render_worker.picture.request import Box, HandLayer, RenderRequest
from render_worker.ray_farm.pool import RenderPool
from render_worker.requests import RenderContext
from render_worker.worker import RenderWorker, start_blender
from shared.seams.renderer import RenderSettings
from shared.twins.sample import SyntheticSample
from tests.support import small_scene
from tests.support.small_scene import FlatScene, PlainPhotographs, open_hand, write_backgrounds

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # Ray leaves its log files open
ray.cloudpickle.register_pickle_by_value(small_scene)  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def measured() -> RenderBench:
    return bench_render(RenderSettings(samples=1), open_hand(), frames=3, image_px=48, steady_frames=20)


class TimedScene(FlatScene):
    """Takes 3 ms to set up, 5 to render what did not change and 2 more for what did, and 1 to read back."""

    now_s = 100.0

    def __init__(self, mesh: CappedMesh, settings: RenderSettings) -> None:
        self.has_changed = True

    @classmethod
    def takes(cls, milliseconds: float) -> None:
        cls.now_s += 1e-3 * milliseconds

    def set_up(self, request: RenderRequest) -> Box:
        self.takes(3)
        self.has_changed = True
        self.layer = super().render(request)
        return self.layer.box

    def run_engine(self) -> None:
        self.takes(7 if self.has_changed else 5)
        self.has_changed = False

    def read_back(self, box: Box) -> Float32[np.ndarray, "rows columns 4"]:
        self.takes(1)
        return self.layer.rgba

    def render(self, request: RenderRequest) -> HandLayer:
        box = self.set_up(request)
        self.run_engine()
        return HandLayer(self.read_back(box), box)


@pytest.mark.blender
def test_the_parts_of_a_frame_add_up_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock that only the scene moves on, every part is known, and their sum is the frame."""
    monkeypatch.setattr(frames, "HandScene", TimedScene)
    monkeypatch.setattr("time.perf_counter", lambda: TimedScene.now_s)
    measured = bench_render(RenderSettings(), open_hand(), frames=3, image_px=48)
    parts = measured.parts
    assert (parts.update_ms, parts.kernel_ms, parts.read_back_ms) == pytest.approx((3 + 2, 5, 1))
    assert (parts.backdrop_ms, parts.composite_ms, parts.encode_ms) == pytest.approx((0, 0, 0))
    assert parts.overhead_ms + parts.kernel_ms == pytest.approx(measured.frame_ms)
    assert measured.frames_per_s_per_core == pytest.approx(1e3 / (3 + 7 + 1))


@pytest.mark.blender
def test_text_and_json_name_every_number(measured: RenderBench) -> None:
    text, data = measured.to_text(), measured.to_json()
    for label in ("first frame", "scene update", "kernel, bare (floor)", "read back", "composite", "encode"):
        assert label in text
    assert "frames/s per core" in text
    assert data["parts"]["kernel_ms"] == measured.parts.kernel_ms
    assert data["memory_growth_mb"] == pytest.approx(
        data["memory"][-1]["memory_mb"] - data["memory"][0]["memory_mb"]
    )
    assert [look["frames"] for look in data["memory"]] == list(range(0, 21, 2))


@pytest.mark.blender
def test_more_workers_are_compared_with_one(measured: RenderBench) -> None:
    text = replace(measured, frames_per_s={1: 10.0, 2: 19.0}).to_text()
    assert ["2", "19.00", "0.95"] in [line.split() for line in text.splitlines()]


def test_quality_is_that_of_the_hand_and_not_of_the_black_around_it() -> None:
    """An error of 0.1 in sRGB is 20 dB, however little of the picture the hand is."""
    best = np.zeros((10, 10, 4), np.float32)
    best[:3, :3] = 1.0
    worse = best.copy()
    worse[:3, :3, :3] = ((0.9 + 0.055) / 1.055) ** 2.4
    worse[5:, 5:, :3] = 1.0  # where there is no hand
    layers = [HandLayer(rgba, Box(0, 0, 10, 10)) for rgba in (worse, best)]
    assert hand_psnr_db(layers[:1], layers[1:]) == pytest.approx(20.0, abs=0.01)


@pytest.mark.blender
def test_the_default_samples_are_enough() -> None:
    """At least 38 dB in the hand's region; the curve against 1024 samples is in EXPERIMENTS.md."""
    mesh, twins = CappedMesh.of(open_hand()), [template_twin(open_hand(), number, 224) for number in range(2)]
    rendered = render_all(start_blender(mesh, RenderSettings()), [render_request(twin) for twin in twins])
    many = RenderSettings(samples=256)
    converged = render_all(start_blender(mesh, many), [render_request(twin, seed=1) for twin in twins])
    assert hand_psnr_db(rendered, converged) >= 38


@pytest.mark.slow
@pytest.mark.blender
def test_a_worker_stays_as_small_as_it_was() -> None:
    """300 twins; `meshcycle bench render --steady 5000` is the long run."""
    mesh, settings = CappedMesh.of(open_hand()), RenderSettings(samples=1)
    context = RenderContext(
        scene=start_blender(mesh, settings), mesh=mesh, photographs=PlainPhotographs(), settings=settings
    )
    twins = [template_twin(open_hand(), number, 64) for number in range(20)]
    looks = watch_memory(context, twins, frames=300)
    assert looks[-1].frames == 300
    steps_mb = [after.memory_mb - before.memory_mb for before, after in pairwise(looks)]
    assert looks[-1].memory_mb - looks[0].memory_mb < 15, steps_mb  # a picture left behind each time is 20


@pytest.mark.blender
@pytest.mark.slow
def test_a_worker_that_is_replaced_all_the_time_draws_the_same_twins(tmp_path: Path) -> None:
    """A limit of one megabyte replaces a Blender after every batch; none of its twins is lost."""
    backgrounds = write_backgrounds(tmp_path / "backgrounds")
    settings = RenderSettings(samples=1, workers=1)
    twins = [template_twin(open_hand(), number, 48) for number in range(12)]
    small = settings.model_copy(update={"worker_memory_mb": 1})
    with RenderPool(small, open_hand(), backgrounds) as pool:
        found = {request.sample_id: answer for request, answer in pool.render(twins)}
        photographs = pool.photographs
    worker = RenderWorker(CappedMesh.of(open_hand()), settings, photographs=photographs)
    for twin, expected in zip(twins, worker.render(twins).answers, strict=True):
        answer = found[twin.sample_id]
        assert isinstance(answer, SyntheticSample)
        assert isinstance(expected, SyntheticSample)
        assert (answer.jpeg, answer.mask_png) == (expected.jpeg, expected.mask_png)
