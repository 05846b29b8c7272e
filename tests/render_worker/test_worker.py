"""A worker that loses what it draws with says so, and never goes on with something else."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from render_worker.drawing_device import DrawingDevice
from render_worker.picture.mesh import CappedMesh
from render_worker.requests import FailedRequest, RenderContext, Request
from render_worker.worker import RenderWorker
from shared.errors import DeviceError, RenderError
from shared.seams.renderer import RenderSettings
from tests.support.small_scene import (
    AnswersItsGpu,
    AnswersItsName,
    FlatScene,
    GpuThatMayDisappear,
    PlainPhotographs,
    open_hand,
)

SETTINGS = RenderSettings(device="optix")
HERE = "all of them"


@dataclass(frozen=True)
class CannotBeDrawn:
    """A request that fails for its own sake."""

    sample_id: str

    def render(self, context: RenderContext) -> str:
        raise RenderError("expected the hand in the picture, found it elsewhere.")


def worker_with(scene: FlatScene) -> RenderWorker:
    return RenderWorker(
        CappedMesh.of(open_hand()),
        SETTINGS,
        photographs=PlainPhotographs(),
        start_scene=lambda mesh, settings: scene,
    )


@pytest.fixture(autouse=True)
def no_gpu_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_every_answer_says_what_drew_it(tmp_path: Path) -> None:
    worker = worker_with(GpuThatMayDisappear(tmp_path))
    gpu = DrawingDevice("OPTIX", (f"GPU {HERE}",))
    assert worker.state().device == gpu
    assert worker.render([AnswersItsName("a")]).device == gpu


def test_a_gpu_that_disappears_is_an_error_in_one_line_and_nothing_is_drawn_on_the_cpu(
    tmp_path: Path,
) -> None:
    worker = worker_with(GpuThatMayDisappear(tmp_path))
    worker.state()
    said = r"^expected to draw with OPTIX: GPU all of them as at the start, found CPU: a processor\. Look at"
    both: list[Request[Any]] = [AnswersItsName("a"), AnswersItsGpu("b", gone=tmp_path)]
    with pytest.raises(DeviceError, match=said) as raised:
        worker.render(both)
    assert "\n" not in str(raised.value)
    with pytest.raises(DeviceError, match=said):  # nor later, whoever asks again
        worker.render([AnswersItsName("c")])


def test_a_picture_that_cannot_be_drawn_is_not_blamed_on_the_gpu(tmp_path: Path) -> None:
    worker = worker_with(GpuThatMayDisappear(tmp_path))
    both: list[Request[str]] = [AnswersItsName("a"), CannotBeDrawn("b")]
    drawn, failed = worker.render(both).answers
    assert drawn == "a"
    assert isinstance(failed, FailedRequest)


def test_a_gpu_that_draws_nothing_any_more_is_not_blamed_on_the_picture(tmp_path: Path) -> None:
    """A GPU that fails leaves empty pictures behind: all that came after used to be quarantined."""
    worker = worker_with(GpuThatMayDisappear(tmp_path, fails=True))
    with pytest.raises(DeviceError, match=r"expected OPTIX: GPU all of them to draw, found that it fails"):
        worker.render([CannotBeDrawn("a")])


def test_on_the_cpu_a_failed_picture_costs_no_second_one() -> None:
    class NeverDraws(FlatScene):
        def render(self, request: object) -> None:  # type: ignore[override]
            pytest.fail("a second picture was drawn")

    (failed,) = worker_with(NeverDraws()).render([CannotBeDrawn("a")]).answers
    assert isinstance(failed, FailedRequest)
