"""Work in a thread, and how it ends."""

from threading import Event, current_thread, main_thread

import pytest

from shared.errors import RenderError
from shared.seams.renderer import RenderStopped
from trainer.recycle.background_task import BackgroundTask


def test_the_result_arrives_where_it_is_asked_for() -> None:
    assert BackgroundTask(lambda stop: current_thread() is main_thread(), name="a task").result() is False


def test_an_error_arrives_as_itself_and_is_told_at_once(caplog: pytest.LogCaptureFixture) -> None:
    def fail(stop: Event) -> None:
        raise RenderError("no Blender")

    task = BackgroundTask(fail, name="a task")
    with pytest.raises(RenderError, match=r"^no Blender$"):
        task.result()
    assert "a task failed" in caplog.text


def test_a_stopped_task_has_ended(caplog: pytest.LogCaptureFixture) -> None:
    ended = Event()

    def work(stop: Event) -> None:
        assert stop.wait(timeout=60)
        ended.set()
        raise RenderStopped

    BackgroundTask(work, name="a task").stop()
    assert ended.is_set()
    assert not caplog.records
