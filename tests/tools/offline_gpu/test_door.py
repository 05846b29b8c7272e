"""The door of a node: what it takes in, copies, and refuses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.repository import ROOT

pytest.importorskip("tools", reason="the build tools are not part of an installed package")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with code, and with what only looks like it."""
    root = tmp_path / "project"
    for name in ("trainer/data/loader.py", "data/freihand/photograph.jpg", "runs/metrics.jsonl", "cli.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def door(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "MESHCYCLE_OFFLINE": str(project.parent / "node"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tools.offline_gpu.node", *words]
    return subprocess.run(command, cwd=project, env=env, capture_output=True, text=True, check=False)


def test_code_is_copied_and_data_sets_are_not(project: Path) -> None:
    """`data` at the root is a data set; `trainer/data` is a part of the trainer."""
    assert door(project, "wait", "0").returncode == 0
    copied = project.parent / "node" / "project"
    assert (copied / "trainer/data/loader.py").exists()
    assert (copied / "cli.py").exists()
    assert not (copied / "data").exists()
    assert not (copied / "runs").exists()
    assert (project / "offline-results/results.json").exists()


def test_a_part_that_was_not_copied_is_named(project: Path) -> None:
    done = door(project, "part", "2")
    assert done.returncode != 0
    assert done.stderr.strip() == ".offline/2: expected a part, found none. Copy it beside the project."


def test_an_unknown_option_is_refused(project: Path) -> None:
    assert "found --mintues 3" in door(project, "start", "machine", "1", "--mintues", "3").stderr


def test_a_command_keeps_its_own_options(project: Path) -> None:
    """As in ``trainer -m pytest``: what follows the name of a Python is that Python's."""
    done = door(project, "trainer", "-c", "import sys; print(sys.argv[1:])", "--json", "-m")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "['--json', '-m']"
