"""A command in odd surroundings works, or says in one line what is wrong with them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.repository import ROOT


def run(
    *words: str, cwd: Path | None = None, before: str = "", variables: dict[str, str] | None = None
) -> tuple[int, str]:
    """Run a command in a process of its own, and return its exit code and all that it said."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom cli import main\n{before}\nmain({[*words]!r})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env=os.environ | (variables or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=200,
    )
    return done.returncode, done.stdout


def test_a_working_directory_that_is_gone_is_one_line(tmp_path: Path) -> None:
    """PyTorch's libraries would end the process with a line of their own."""
    code, said = run("inspect", "/nowhere", cwd=tmp_path, before=f"import os; os.rmdir({str(tmp_path)!r})")
    assert code == 2
    assert said.startswith("Error: working directory: expected a folder, found No such file")
    assert len(said.splitlines()) == 1


def test_no_room_for_temporary_files_is_one_line() -> None:
    no_room = "import tempfile; tempfile._candidate_tempdir_list = lambda: ['/proc']"
    code, said = run("inspect", "/nowhere", before=no_room)
    assert code == 2
    assert said.startswith("Error: temporary files: expected a folder with room in it, found none")
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("variables", [{"RANK": "1"}, {"WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "x"}])
@pytest.mark.slow
def test_leftovers_of_torchrun_change_nothing(variables: dict[str, str]) -> None:
    """With RANK=1, a command would print nothing at all."""
    code, said = run("inspect", "/nowhere", variables=variables)
    first, *slow, error = said.splitlines()
    assert slow in ([], ["Loading PyTorch …"])
    assert first == f"{', '.join(variables)} in the environment: not set by torchrun, and ignored."
    assert error.startswith("Error: /nowhere: expected")
    assert code == 2
