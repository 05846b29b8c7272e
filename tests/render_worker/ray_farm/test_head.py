"""A head that is lost is noticed, named, and asked nothing more."""

import re
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import psutil
import pytest
import ray

from render_worker.ray_farm import head
from render_worker.ray_farm.head import HeadWatch
from render_worker.ray_farm.slots import RenderSlots
from render_worker.ray_farm.tls import TlsFiles
from render_worker.ray_farm.workers import WorkerSet
from shared.errors import RenderError
from shared.seams.renderer import RenderSettings
from tests.support.repository import ROOT
from tests.support.small_scene import write_backgrounds
from tests.support.starting_engine import StartingEngine

OFFER = RenderSlots(node_id="node", host="host", count=1, device="cpu", gpu_share=0.0)


DRIVER = """
import sys
from pathlib import Path

import ray

from render_worker.ray_farm.pool import RenderPool
from shared.errors import RenderError
from shared.seams.renderer import RenderSettings
from tests.support import small_scene

ray.cloudpickle.register_pickle_by_value(small_scene)
backgrounds, begun = map(Path, sys.argv[1:])
settings = RenderSettings(workers=1)
with RenderPool(settings, small_scene.open_hand(), backgrounds, start_scene=small_scene.FlatScene) as pool:
    try:
        list(pool.render([small_scene.NeverEnds("a hand", begun)]))
    except RenderError as error:
        print(error)
"""
HTTP2_SETTINGS = bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@contextmanager
def answering(server: socket.socket, answer: bytes) -> Iterator[None]:
    """Answer whoever connects, once, as a head does or as something else would."""

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(answer)
            connection.recv(1000)

    thread = Thread(target=serve)
    thread.start()
    yield
    thread.join()


def address_of(server: socket.socket) -> str:
    host, port = server.getsockname()
    return f"{host}:{port}"


def test_a_head_that_answers_is_not_silent(listener: socket.socket) -> None:
    watch = HeadWatch(address_of(listener))
    with answering(listener, HTTP2_SETTINGS):
        watch.ask()
    assert not watch.is_silent


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("auto", "expected HOST:PORT of its head, found auto"),
        ("localhost:99999", "expected HOST:PORT of its head, found localhost:99999"),
        ("127.0.0.1:1", "expected it to answer within 0.1 s, found: Connection refused"),
    ],
)
def test_an_address_without_a_head_is_named(
    address: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(head, "ANSWER_S", 0.1)
    with pytest.raises(RenderError, match=expected):
        head.require_head(address)


def test_a_server_that_is_no_head_is_named(listener: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "ANSWER_S", 0.0)
    monkeypatch.setattr(head, "CONNECT_TIMEOUT_S", 0.2)
    with pytest.raises(RenderError, match="found: no answer"):
        head.require_head(address_of(listener))  # it takes connections, and says nothing
    listener.accept()[0].close()
    with (
        answering(listener, b"HTTP/1.1 400 Bad Request"),
        pytest.raises(RenderError, match="found: an answer that is not Ray's"),
    ):
        head.require_head(address_of(listener))


def test_a_wrong_address_is_found_within_ten_seconds(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time of the first question counts: what says nothing is not asked again when time is over."""
    assert head.ANSWER_S + head.CONNECT_TIMEOUT_S <= 10
    monkeypatch.setattr(head, "ANSWER_S", 0.3)
    monkeypatch.setattr(head, "CONNECT_TIMEOUT_S", 0.3)
    with pytest.raises(RenderError, match="found: no answer"):
        head.require_head(address_of(listener))
    listener.accept()[0].close()
    listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        listener.accept()


@pytest.mark.parametrize(
    ("answer", "reason", "lasts"),
    [(b"", "that it hangs up", False), (b"HTTP/1.1 400", "started without --tls", True)],
)
def test_with_tls_a_head_that_hangs_up_is_waited_for_and_one_without_tls_is_not(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch, answer: bytes, reason: str, lasts: bool
) -> None:
    """A head that is just ending hangs up; one that will never answer says something else."""
    files = SimpleNamespace(client=lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    monkeypatch.setattr(TlsFiles, "in_use", lambda: files)

    def hang_up() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(100_000)
            connection.sendall(answer)

    thread = Thread(target=hang_up)
    thread.start()
    silence = head._silence(address_of(listener))
    thread.join()
    assert silence is not None
    assert reason in silence.reason
    assert silence.lasts == lasts


@pytest.fixture
def driver(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that renders with a Ray of its own, in the middle of a picture."""
    begun = tmp_path / "begun"
    command = [sys.executable, "-c", DRIVER, str(write_backgrounds(tmp_path / "backgrounds")), str(begun)]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    with running:
        while not begun.exists():
            assert running.poll() is None, running.communicate()
            time.sleep(0.1)
        yield running
        running.kill()


@pytest.mark.parametrize("name", ["raylet", "gcs_server"])
@pytest.mark.slow
def test_a_ray_on_this_machine_that_dies_is_one_line(name: str, driver: subprocess.Popen[str]) -> None:
    """No worker can ever come back then, so that there is nothing to wait for."""
    (process,) = (each for each in psutil.Process(driver.pid).children() if each.name() == name)
    process.kill()
    out, _ = driver.communicate(timeout=60)
    assert re.fullmatch(rf"Ray on this machine: .* keep running, found .* its {name}.* ended.*\n", out)


@pytest.mark.slow
def test_nothing_outlives_a_killed_driver(driver: subprocess.Popen[str]) -> None:
    """Ray's agents used to wait for a minute for a head that was gone."""
    children = psutil.Process(driver.pid).children(recursive=True)
    driver.kill()
    gone, left = psutil.wait_procs(children, timeout=15)
    assert len(gone) > 4
    assert left == []


def test_a_silent_head_is_waited_for_and_then_named(listener: socket.socket) -> None:
    address = address_of(listener)
    listener.close()
    patient, impatient = HeadWatch(address), HeadWatch(address, lost_after_s=0.0)
    for _ in range(2):
        patient.ask()
        assert patient.is_silent
    with pytest.raises(RenderError, match=f"{address}: .* keep running, .*refused.*Start its head again"):
        impatient.ask()


def test_a_head_that_comes_back_is_silent_no_more(listener: socket.socket) -> None:
    address = listener.getsockname()
    watch = HeadWatch(address_of(listener))
    listener.close()
    watch.ask()
    with socket.create_server(address) as server, answering(server, HTTP2_SETTINGS):
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
    workers = WorkerSet(StartingEngine.of([OFFER]), RenderSettings(), address=None)
    workers.follow()
    with pytest.raises(RenderError, match=r"Ray on this machine: expected it to keep running.*Broken pipe"):
        workers.ready([*workers.starting])
    workers.close()
