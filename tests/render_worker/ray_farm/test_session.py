"""Ray outlives the thread that needed it first; a process of its own, because Ray starts once per process."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from render_worker.ray_farm import session

DRAWN_IN_THREADS = """
import time
from threading import Thread

import ray

from render_worker.ray_farm.session import connect

for _ in range(2):
    thread = Thread(target=connect, args=(None,))
    thread.start()
    thread.join()
    time.sleep(1)
    print(ray.get(ray.remote(num_cpus=0)(lambda: "an answer").remote(), timeout=30))
"""


@pytest.mark.slow
def test_ray_goes_on_when_the_thread_that_started_it_has_ended() -> None:
    """Overlapping with training, every round renders in a thread of its own."""
    patience = {"RAY_gcs_rpc_server_reconnect_timeout_s": "5"}
    done = subprocess.run(
        [sys.executable, "-c", DRAWN_IN_THREADS],
        env=os.environ | patience,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split("\n")[:2] == ["an answer", "an answer"], done.stderr


STARTED_TWICE = """
import ray

from render_worker.ray_farm.session import connect

for _ in range(2):
    connect(None)
    print(ray.get(ray.remote(num_cpus=0)(lambda: "an answer").remote(), timeout=60))
    ray.shutdown()
"""


@pytest.mark.slow
def test_a_process_may_start_ray_again() -> None:
    """What is changed about how Ray starts its agents is changed once."""
    done = subprocess.run(
        [sys.executable, "-c", STARTED_TWICE], capture_output=True, text=True, check=False, timeout=200
    )
    assert done.stdout.split("\n")[:2] == ["an answer", "an answer"], done.stderr


@pytest.mark.parametrize(
    ("elsewhere", "said"),
    [
        (None, ["Ray's dashboard: http://10.1.2.3:8265"]),
        ("http://127.0.0.1:9000", ["Ray's dashboard: http://127.0.0.1:9000"]),
        ("", []),
    ],
)
def test_the_dashboards_address_is_printed_where_it_can_be_reached(
    elsewhere: str | None, said: list[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """In a container Ray only knows an address that nobody outside can use."""
    started = SimpleNamespace(dashboard_url="10.1.2.3:8265")
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    monkeypatch.setattr(session, "require_head", lambda _: None)
    monkeypatch.setattr(session, "require_token", lambda _: None)
    monkeypatch.setattr(session, "_init", lambda **_: started)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.delenv(session.DASHBOARD, raising=False)
    if elsewhere is not None:
        monkeypatch.setenv(session.DASHBOARD, elsewhere)
    with caplog.at_level("INFO"):
        session.connect("10.1.2.3:6379")
    assert caplog.messages == said
