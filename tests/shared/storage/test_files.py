"""Files that are complete or absent, and what a kill leaves behind."""

import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from shared.storage import files
from shared.storage.files import (
    delete_temporary,
    sha256_of,
    sweep_leftovers,
    temporary_name,
    visible_files,
    write_durably,
)
from shared.storage.regular_file import read_regular_file


def ended_process() -> int:
    """Return the number of a process that is gone."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    write_durably(path, [b"old"])
    with pytest.raises(TypeError):
        write_durably(path, [b"half", None])  # type: ignore[list-item]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_names_of_255_bytes_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 127 + "x")
    write_durably(path, [b"content"])
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_leftovers_of_processes_that_are_gone_are_swept_and_nothing_else(tmp_path: Path) -> None:
    """Those of another machine are its own business: its processes are not known here."""
    left = tmp_path / temporary_name("metrics.jsonl", ended_process())
    kept = [
        tmp_path / temporary_name("best", os.getppid()),
        tmp_path / f".shard-00000.tar.01234567-{ended_process()}.tmp",
        tmp_path / ".notes.tmp",
        tmp_path / "mine.1.tmp",
    ]
    for path in (left, *kept):
        path.touch()
    sweep_leftovers(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(kept)
    delete_temporary(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(kept[2:])


def test_the_first_write_into_a_folder_sweeps_it(tmp_path: Path) -> None:
    left = tmp_path / temporary_name("best", ended_process())
    left.touch()
    write_durably(tmp_path / "best", [b"round-0001"])
    assert not left.exists()


@pytest.mark.skipif(not Path("/proc/self/ns/pid").exists(), reason="namespaces are Linux's")
def test_a_container_with_the_name_of_its_host_is_a_machine_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its processes have other numbers, so that each would take the other's files for leftovers."""
    here = files._numbers_of_processes()
    monkeypatch.setattr(Path, "stat", lambda path: SimpleNamespace(st_ino=1))
    assert files._numbers_of_processes() not in ("", here)


def test_an_error_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"x{300}'") as caught:
        write_durably(tmp_path / ("x" * 300), [b""])
    assert ".tmp" not in str(caught.value)


def test_nobody_waits_for_the_writer_of_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "hand.jpg")
    with pytest.raises(OSError, match="Not a regular file"):
        read_regular_file(tmp_path / "hand.jpg")


def test_files_that_match_are_found_at_any_depth_and_hidden_ones_are_not(tmp_path: Path) -> None:
    for name in ("b.tar", "deep/er/a.tar", "notes.txt", ".b.tar.1.tmp", ".hidden/c.tar", "deep/.d.tar"):
        write_durably(tmp_path / name, [b""])
    assert visible_files(tmp_path, ["*.tar"]) == ["b.tar", "deep/er/a.tar"]
    assert visible_files(tmp_path, ["deep/*", "*.txt"]) == ["deep/er/a.tar", "notes.txt"]


def test_the_hash_is_that_of_the_standard(tmp_path: Path) -> None:
    """Of "abc", from FIPS 180-4's examples."""
    write_durably(tmp_path / "abc", [b"a", b"bc"])
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256_of(tmp_path / "abc") == expected
