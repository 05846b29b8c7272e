"""A stranger's files with the names of our parts, in the working directory and on PYTHONPATH."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.repository import SOURCES

NAMES = ("bg_filter", "cli", "render_worker", "shared", "trainer")
RAY = """
import ray
from meshcycle.own_names import claim_names, claim_names_in_children
claim_names()
claim_names_in_children()
from render_worker.ray_farm.session import connect

@ray.remote(num_cpus=0)
def found():
    import render_worker.worker, shared.errors
    return render_worker.worker.__file__

connect(None)
print(ray.get(found.remote()))
"""


@pytest.fixture
def strangers(tmp_path: Path) -> Path:
    """A folder in which every one of our names is a file or a package that cannot be imported."""
    for name in NAMES:
        if name == "cli":
            (tmp_path / "cli.py").write_text("raise SystemExit('a stranger was imported')\n")
        else:
            (tmp_path / name).mkdir()
            (tmp_path / name / "__init__.py").write_text("raise SystemExit('a stranger was imported')\n")
    return tmp_path


def beside_strangers(strangers: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python in their folder, which is on PYTHONPATH as well; our package comes after it."""
    path = os.pathsep.join(map(str, (strangers, SOURCES)))
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(
        [sys.executable, *words], cwd=strangers, env=environment, capture_output=True, text=True, check=False
    )


COMMAND = "from meshcycle.command import main; import sys; sys.argv[0] = 'meshcycle'; main()"
"""What the script that pip installs does."""


def test_they_would_be_imported_in_the_place_of_ours(strangers: Path) -> None:
    assert "a stranger" in beside_strangers(strangers, "-P", "-c", "import shared").stderr


@pytest.mark.slow
def test_the_command_and_its_children_look_past_them_and_doctor_names_them(strangers: Path) -> None:
    done = beside_strangers(strangers, "-P", "-c", COMMAND, "doctor", "--json")
    assert "a stranger was imported" not in done.stdout + done.stderr
    assert str(strangers / "shared") in done.stdout
    assert "not used, although named like a part of meshcycle" in done.stdout
    assert '"Blender"' in done.stdout


def test_python_that_imports_meshcycle_first_gets_ours(strangers: Path) -> None:
    done = beside_strangers(strangers, "-c", "import meshcycle, shared.errors; print(shared.errors.__file__)")
    assert done.stdout.strip() == str(SOURCES / "shared" / "errors.py"), done.stderr


@pytest.mark.slow
def test_rays_workers_look_past_them(strangers: Path) -> None:
    done = beside_strangers(strangers, "-P", "-c", RAY)
    assert done.stdout.strip() == str(SOURCES / "render_worker" / "worker.py"), done.stderr


@pytest.mark.slow
def test_what_torchrun_starts_looks_past_them(strangers: Path) -> None:
    """It starts the command itself (``--no-python``), which is tried here with two processes."""
    script = strangers / "meshcycle-command"
    script.write_text(f"#!{sys.executable} -P\n{COMMAND}\n")
    script.chmod(0o755)
    words = ("-m", "torch.distributed.run", "--nproc-per-node", "2", "--no-python", str(script), "--help")
    done = beside_strangers(strangers, "-P", *words)
    assert done.returncode == 0, done.stderr
    assert "a stranger" not in done.stderr
    assert done.stdout.count("Train 3D hand networks") == 2


def test_one_that_would_be_imported_is_a_problem(strangers: Path) -> None:
    """Seen by whoever starts the checks without the command."""
    code = "from shared.cli.own_names import own_names; own_names()"
    (strangers / "shared" / "__init__.py").unlink()
    (strangers / "shared").rmdir()
    done = beside_strangers(strangers, "-c", code)
    assert "import bg_filter: expected the one of meshcycle" in done.stderr
