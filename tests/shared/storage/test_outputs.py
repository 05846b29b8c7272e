"""What this product did not write is never replaced."""

import os
from pathlib import Path

import pytest

from shared.errors import StorageError
from shared.storage import outputs
from shared.storage.outputs import require_replaceable, write_output


@pytest.fixture(autouse=True)
def notes(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("MESHCYCLE_CACHE", str(folder))
    return folder


def forget_what_was_read() -> None:
    """What a new process does."""
    outputs._read.clear()


def test_an_earlier_output_is_replaced(tmp_path: Path) -> None:
    for content in (b"first", b"second"):
        write_output(tmp_path / "scores.csv", [content])
        forget_what_was_read()
    assert (tmp_path / "scores.csv").read_bytes() == b"second"


def test_an_empty_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "scores.csv").touch()
    write_output(tmp_path / "scores.csv", [b"content"])
    assert (tmp_path / "scores.csv").read_bytes() == b"content"


def test_a_file_of_somebody_else_stays(tmp_path: Path) -> None:
    (tmp_path / "thesis.csv").write_text("my own")
    with pytest.raises(StorageError, match=r"thesis\.csv: expected a free name.* did not write"):
        write_output(tmp_path / "thesis.csv", [b"content"])
    assert [path.read_text() for path in tmp_path.iterdir()] == ["my own"]


def test_an_output_that_was_changed_since_stays(tmp_path: Path) -> None:
    write_output(tmp_path / "scores.csv", [b"content"])
    (tmp_path / "scores.csv").write_text("content with my notes")
    with pytest.raises(StorageError, match="changed since"):
        write_output(tmp_path / "scores.csv", [b"content"])


def test_devices_pipes_folders_and_links_to_nowhere_stay(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    before = sorted(tmp_path.iterdir())
    for path in (*before, Path("/dev/null"), tmp_path / ("x" * 300), tmp_path / "a\0b"):
        with pytest.raises(StorageError, match="expected a free name"):
            write_output(path, [b"content"])
    assert sorted(tmp_path.iterdir()) == before
    assert Path("/dev/null").is_char_device()


def test_a_link_to_an_output_stays_a_link(tmp_path: Path) -> None:
    write_output(tmp_path / "scores.csv", [b"first"])
    (tmp_path / "latest.csv").symlink_to("scores.csv")
    write_output(tmp_path / "latest.csv", [b"second"])
    assert (tmp_path / "latest.csv").is_symlink()
    assert (tmp_path / "scores.csv").read_bytes() == b"second"


def test_notes_about_a_folder_do_not_grow_with_repetitions(tmp_path: Path, notes: Path) -> None:
    for _ in range(20):
        write_output(tmp_path / "scores.csv", [b"content"])
        forget_what_was_read()
    (file,) = (notes / "outputs").iterdir()
    assert len(file.read_text().splitlines()) < 10
    require_replaceable(tmp_path / "scores.csv")
