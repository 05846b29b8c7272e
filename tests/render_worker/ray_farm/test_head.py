"""A head that is lost is noticed, named, and asked nothing more."""

import socket
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import ray

from render_worker.ray_farm import head
from render_worker.ray_farm.head import HeadWatch
from render_worker.ray_farm.slots import RenderSlots
from render_worker.ray_farm.workers import WorkerSet
from shared.errors import RenderError
from shared.seams.renderer import RenderSettings

OFFER = RenderSlots("node", "host", count=1, device="cpu", gpu_share=0.0)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def address_of(server: socket.socket) -> str:
    host, port = server.getsockname()
    return f"{host}:{port}"


def test_a_head_that_answers_is_not_silent(listener: socket.socket) -> None:
    watch = HeadWatch(address_of(listener))
    watch.ask()
    assert not watch.is_silent


def test_a_silent_head_is_waited_for_and_then_named(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = address_of(listener)
    listener.close()
    watch = HeadWatch(address)
    watch.ask()
    assert watch.is_silent
    monkeypatch.setattr(head, "_SILENT_S", 0.0)
    with pytest.raises(RenderError, match=f"{address}: expected it to go on.*refused.*Start its head again"):
        watch.ask()


def test_a_head_that_comes_back_is_silent_no_more(listener: socket.socket) -> None:
    address = listener.getsockname()
    watch = HeadWatch(address_of(listener))
    listener.close()
    watch.ask()
    with socket.create_server(address):
        watch.ask()
    assert not watch.is_silent


def test_when_ray_has_ended_it_is_named_and_workers_are_let_go_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    def waits_for_a_minute(_: object) -> None:
        pytest.fail("Ray was asked to stop a worker")

    monkeypatch.setattr(ray, "wait", broken)
    monkeypatch.setattr(ray, "kill", waits_for_a_minute)
    reference = object()
    actor = SimpleNamespace(state=SimpleNamespace(remote=lambda: reference))
    workers = WorkerSet(lambda slots: actor, lambda: [OFFER], RenderSettings(), address=None)
    workers.follow()
    with pytest.raises(RenderError, match=r"Ray on this machine: expected it to go on.*Broken pipe"):
        workers.ready([*workers.starting])
    workers.close()
