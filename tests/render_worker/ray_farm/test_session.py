"""Ray outlives the thread that needed it first; a process of its own, because Ray starts once per process."""

import os
import subprocess
import sys

import pytest

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
