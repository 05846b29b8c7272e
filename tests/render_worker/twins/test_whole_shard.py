"""A worker that writes a whole shard stores nothing that another device drew than the one at the start."""

import faulthandler
from pathlib import Path

import pytest

from render_worker.picture.mesh import CappedMesh
from render_worker.picture.request import HandLayer, RenderRequest
from render_worker.requests import KERNELS_S
from render_worker.twins.round import render_round
from render_worker.worker import RenderWorker
from shared.errors import DeviceError
from shared.seams.renderer import RenderJob, RenderSettings
from shared.twins.rounds import SyntheticRound
from tests.support.small_farm import HANDS_PER_SHARD, job_of, write_hands
from tests.support.small_scene import GpuThatMayDisappear, HomeRenderer, open_hand, write_backgrounds


class GoneAfter(GpuThatMayDisappear):
    """A GPU that disappears after some pictures."""

    pictures = HANDS_PER_SHARD + 3

    def render(self, request: RenderRequest) -> HandLayer:
        self.pictures -= 1
        if self.pictures == 0:
            (self.gone / self.gpu).touch()
        return super().render(request)


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RenderJob:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return job_of(write_hands(tmp_path / "predictions", num_shards=2), tmp_path / "round")


def renderer_with(scene: GpuThatMayDisappear, folder: Path) -> HomeRenderer:
    renderer = HomeRenderer(write_backgrounds(folder / "backgrounds"))
    renderer.settings = RenderSettings(device="optix")
    renderer._worker = RenderWorker(
        CappedMesh.of(open_hand()),
        renderer.settings,
        photographs=renderer.photographs,
        start_scene=lambda mesh, settings: scene,
    )
    return renderer


def test_files_have_as_long_as_a_picture_and_only_the_first_picture_of_a_gpu_longer(
    tmp_path: Path, job: RenderJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits_s: list[float] = []
    monkeypatch.setattr(faulthandler, "dump_traceback_later", lambda limit_s, **_: limits_s.append(limit_s))
    renderer = renderer_with(GpuThatMayDisappear(tmp_path), tmp_path)
    draw = renderer._worker.render
    monkeypatch.setattr(renderer, "render", lambda asked: [(each, draw([each]).answers[0]) for each in asked])
    render_round(renderer, job)
    files_s, first_s, picture_s = 120.0, 120.0 + KERNELS_S, 120.0
    whole_shard = [files_s, first_s, *[picture_s] * (HANDS_PER_SHARD - 1), files_s]
    assert limits_s == [*whole_shard, *[picture_s] * HANDS_PER_SHARD]


def test_a_gpu_that_disappears_in_the_middle_of_a_shard_leaves_none(tmp_path: Path, job: RenderJob) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    with pytest.raises(DeviceError, match=r"expected to draw with OPTIX.* found CPU: a processor"):
        render_round(renderer_with(GoneAfter(gone), tmp_path), job)
    assert len([*job.out_dir.glob("*.tar")]) == 1
    assert len([*job.out_dir.glob("*.index.json")]) == 1
    next(gone.iterdir()).unlink()
    report = render_round(renderer_with(GpuThatMayDisappear(gone), tmp_path / "again"), job)
    assert (report.rendered, report.reused) == (HANDS_PER_SHARD, HANDS_PER_SHARD)
    assert len(SyntheticRound.open(job.out_dir).sample_ids) == 2 * HANDS_PER_SHARD
