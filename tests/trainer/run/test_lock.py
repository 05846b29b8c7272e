"""Two trainers cannot write to one folder."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.errors import ConfigError
from trainer.run.lock import sole_trainer

OTHER = """
import os, sys, time
from pathlib import Path
from trainer.run.lock import sole_trainer
with sole_trainer(Path(sys.argv[1])):
    if os.fork() == 0:
        time.sleep(60)  # as a worker that loads photographs, and outlives its trainer
    print(os.getpid(), flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other_trainer(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", OTHER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        subprocess.run(["pkill", "-KILL", "-s", str(process.pid)], check=False)


def test_a_second_trainer_is_refused(other_trainer: "subprocess.Popen[str]", tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="another trainer at work"), sole_trainer(tmp_path):
        pass


def test_a_trainer_that_was_killed_lets_go_though_its_workers_live_on(
    other_trainer: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    other_trainer.kill()
    other_trainer.wait()
    with sole_trainer(tmp_path):
        assert tmp_path.is_dir()


def test_a_folder_is_free_again_when_training_has_ended(tmp_path: Path) -> None:
    for _ in range(2):
        with sole_trainer(tmp_path / "run"):
            pass
