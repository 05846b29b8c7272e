"""Where temporary files and sockets go, wherever TMPDIR points."""

import os
import socket
from pathlib import Path

import pytest

from shared.errors import StorageError
from shared.storage import temporary
from shared.storage.temporary import folder_for_sockets

NAME = "ray/session_2026-01-01_00-00-00_000000_0000000/sockets/plasma_store"


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the temporary folder of the system, with nothing in the environment."""
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    return Path("/tmp")


def test_a_folder_with_a_long_name_is_passed_over(
    tmp_path: Path, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("long" * 20)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    assert folder_for_sockets(NAME) == short


def test_a_socket_fits_into_the_folder(short: Path) -> None:
    path = folder_for_sockets("test-0123456789.socket") / f"test-{os.getpid()}.socket"
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))
    path.unlink()


@pytest.mark.parametrize("place", ["/proc", "/nowhere", "/dev/null"])
def test_a_folder_that_cannot_be_written_to_is_passed_over(
    short: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv("TMPDIR", place)
    assert folder_for_sockets(NAME) == short


def test_no_folder_at_all_is_one_line(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(temporary, "_has_room", lambda folder: False)
    with pytest.raises(
        StorageError, match="expected a folder with room in it, whose name has at most"
    ) as told:
        folder_for_sockets(NAME)
    assert str(told.value).count("\n") == 0
