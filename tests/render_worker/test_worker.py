"""A worker that loses what it draws with says so, and never goes on with something else."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from render_worker.drawing_device import DrawingDevice
from render_worker.picture.mesh import CappedMesh
from render_worker.picture.probe import probe_of
from render_worker.picture.request import HandLayer, NotDrawnError, RenderRequest
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


@dataclass(frozen=True)
class DrawsAHand:
    """A request for the picture of a hand."""

    sample_id: str

    def render(self, context: RenderContext) -> str:
        assert context.mesh.open_hand is not None
        context.scene.render(probe_of(context.mesh.open_hand))
        return self.sample_id


class DrawsNothingOnce(GpuThatMayDisappear):
    """A GPU that is fine; the first picture is of a hand too small to see."""

    pictures = 0

    def render(self, request: RenderRequest) -> HandLayer:
        self.pictures += 1
        if self.pictures == 1:
            raise NotDrawnError("expected a hand, found nothing.")
        return super().render(request)


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
        worker.render([DrawsAHand("a")])


def test_a_picture_that_comes_out_empty_costs_a_second_one_to_try_the_gpu(tmp_path: Path) -> None:
    scene = DrawsNothingOnce(tmp_path)
    (failed,) = worker_with(scene).render([DrawsAHand("a")]).answers
    assert isinstance(failed, FailedRequest)
    assert scene.pictures == 2


def test_a_picture_that_the_gpu_was_never_asked_for_costs_no_second_one(tmp_path: Path) -> None:
    """A background that cannot be read, or a hand behind the edge, says nothing about what draws."""
    scene = DrawsNothingOnce(tmp_path)
    (failed,) = worker_with(scene).render([CannotBeDrawn("a")]).answers
    assert isinstance(failed, FailedRequest)
    assert scene.pictures == 0


def test_on_the_cpu_a_failed_picture_costs_no_second_one() -> None:
    class DrawsNothing(FlatScene):
        pictures = 0

        def render(self, request: RenderRequest) -> HandLayer:
            self.pictures += 1
            raise NotDrawnError("expected a hand, found nothing.")

    scene = DrawsNothing()
    (failed,) = worker_with(scene).render([DrawsAHand("a")]).answers
    assert isinstance(failed, FailedRequest)
    assert scene.pictures == 1
