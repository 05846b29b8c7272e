"""A run begins anew without deleting anything, and only in a folder of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from shared.errors import ConfigError
from shared.storage.files import temporary_name
from trainer.run.claim import claimed_run, move_aside, require_run_or_nothing
from trainer.run.lock import LOCK, sole_trainer
from trainer.run.provenance import PROVENANCE
from trainer.run.stored_config import CONFIG

OTHER = """
import sys
from pathlib import Path
from trainer.run.lock import sole_trainer
with sole_trainer(Path(sys.argv[1])):
    print("training", flush=True)
    sys.stdin.read()
"""


def begun(folder: Path) -> Path:
    """Make what an earlier run has written."""
    for name in (CONFIG, PROVENANCE, "metrics.jsonl", "predictions/round-0000/x", "checkpoints/round-0000/x"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("earlier")
    return folder


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_fresh_run_moves_the_old_one_aside_as_a_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    before = files_in(begun(tmp_path / "run"))
    with claimed_run(tmp_path / "run", resume=False):
        assert files_in(tmp_path / "run") == [LOCK]
    assert files_in(tmp_path / "run.1") == sorted([*before, LOCK])
    assert f"now in {tmp_path / 'run.1'}" in caplog.text


def test_runs_are_numbered(tmp_path: Path) -> None:
    (tmp_path / "run.1").write_text("a file of that name")
    (tmp_path / "run.2").symlink_to("nowhere")
    assert move_aside(begun(tmp_path / "run")).name == "run.3"
    assert (tmp_path / "run.1").read_text() == "a file of that name"


def test_beginning_anew_where_nothing_has_begun_moves_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        with claimed_run(tmp_path / "run", resume=False):
            pass
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_resuming_moves_nothing(tmp_path: Path) -> None:
    with claimed_run(begun(tmp_path / "run"), resume=True):
        assert (tmp_path / "run/metrics.jsonl").exists()


def test_metrics_without_a_checkpoint_do_not_get_into_the_next_run(tmp_path: Path) -> None:
    (begun(tmp_path / "run") / "checkpoints/round-0000/x").unlink()
    (tmp_path / "run/checkpoints/round-0000").rmdir()
    with claimed_run(tmp_path / "run", resume=True):
        assert files_in(tmp_path / "run") == [LOCK]
    assert (tmp_path / "run.1/metrics.jsonl").exists()


def test_a_linked_folder_stays_linked_and_its_checkpoints_move_too(tmp_path: Path) -> None:
    begun(tmp_path / "disk")
    (tmp_path / "disk/checkpoints").rename(tmp_path / "elsewhere")
    (tmp_path / "disk/checkpoints").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "run").symlink_to("disk")
    with claimed_run(tmp_path / "run", resume=False):
        assert (tmp_path / "run").is_symlink()
        assert files_in(tmp_path / "run") == [LOCK]
    assert (tmp_path / "disk.1/checkpoints/round-0000/x").exists()


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("name", ["thesis.tex", "predictions/a.npy", "checkpoints/model.pt", CONFIG])
def test_a_folder_that_no_run_made_is_refused_and_left_as_it_is(
    tmp_path: Path, name: str, *, resume: bool
) -> None:
    (tmp_path / "folder" / name).parent.mkdir(parents=True)
    (tmp_path / "folder" / name).write_text("somebody's")
    with (
        pytest.raises(ConfigError, match="expected the folder of a run"),
        claimed_run(tmp_path / "folder", resume=resume),
    ):
        pass
    assert files_in(tmp_path) == [f"folder/{name}"]


@pytest.mark.parametrize("folder", [".", "..", "inner/.."])
def test_the_working_directory_is_refused(
    tmp_path: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work/inner").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    with pytest.raises(ConfigError, match="found one that holds the working directory"):
        require_run_or_nothing(Path(folder))


def test_a_run_under_way_is_not_moved(tmp_path: Path) -> None:
    begun(tmp_path / "run")
    command = [sys.executable, "-c", OTHER, str(tmp_path / "run")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(ConfigError, match="another trainer"), claimed_run(tmp_path / "run", resume=False):
            pass
        other.communicate("")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    with sole_trainer(tmp_path / "run"):
        pass


def test_leftovers_of_a_killed_trainer_are_swept(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as dead:
        dead.wait()
    begun(tmp_path / "run")
    names = [
        f"{folder}{temporary_name(name, dead.pid)}"
        for folder, name in (
            ("", "metrics.jsonl"),
            ("checkpoints/", "best"),
            ("predictions/round-0000/", "s"),
        )
    ]
    for name in names:
        (tmp_path / "run" / name).touch()
    with claimed_run(tmp_path / "run", resume=True):
        assert not [name for name in names if (tmp_path / "run" / name).exists()]
