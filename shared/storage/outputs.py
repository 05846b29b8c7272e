"""The one door for files whose names a person chose: what this product did not write is never replaced.

An output may take a free name or that of an empty file, or replace what an earlier command wrote there and
nobody has changed since. Sizes and times of what was written are noted in the user's cache directory, one
line per file. Where these notes are lost, the old output has to be moved away by hand.
"""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from shared.errors import StorageError
from shared.storage.cache import cache_folder
from shared.storage.files import write_durably, written_aside

_NOTES_PER_FILE: Final = 4
"""Notes about a folder are written anew when there are more of them than this, times its files."""

_read: dict[Path, dict[str, str]] = {}
"""Notes by their file, as far as this process has needed them."""


def write_output(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a file as `write_durably` does.

    Raises:
        StorageError: The name belongs to something that is not ours to replace.
    """
    with output_aside(path) as temporary, temporary.open("wb") as file:
        file.writelines(chunks)


@contextmanager
def output_aside(path: Path) -> Iterator[Path]:
    """Give the path of a temporary file to write, as `written_aside` does.

    Raises:
        StorageError: The name belongs to something that is not ours to replace.
    """
    require_replaceable(path)
    final = path.resolve()  # a link stays a link
    with written_aside(final) as temporary:
        yield temporary
    _note(final)


def require_replaceable(path: Path) -> None:
    """Make sure that an output may have this name; before hours of work for it are begun.

    Raises:
        StorageError: There is a folder, a device, a pipe, a link to nowhere, or a file that we did not write.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise _refusal(path, "a link to nowhere") from None
        if "\0" in str(path):
            raise _refusal(path, "a zero byte in it") from None
        return
    except (OSError, ValueError) as error:  # a loop of links, a name too long, a zero byte
        raise _refusal(path, getattr(error, "strerror", None) or str(error)) from error
    if not stat.S_ISREG(status.st_mode):
        found = "a folder" if stat.S_ISDIR(status.st_mode) else "a device, a pipe or a socket"
        raise _refusal(path, found)
    if status.st_size and _state(status) != _notes(path.resolve().parent).get(_key(path.resolve().name)):
        raise _refusal(path, "a file that meshcycle did not write, or that was changed since")


def _refusal(path: Path, found: str) -> StorageError:
    return StorageError(
        f"{path}: expected a free name for an output, or one of an earlier output, found {found}.",
        remedy="Give another name, or move that away.",
    )


def _note(path: Path) -> None:
    """Note that a file is ours as it is now; where that is impossible, it will not be replaced."""
    notes, key, state = _notes_path(path.parent), _key(path.name), _state(path.stat())
    _notes(path.parent)[key] = state
    with suppress(OSError):
        notes.parent.mkdir(parents=True, exist_ok=True)
        with notes.open("ab") as file:
            file.write(f"{key} {state}\n".encode())


def _notes(folder: Path) -> dict[str, str]:
    """Return the states of the files of a folder, by key; they are read once."""
    path = _notes_path(folder)
    if path not in _read:
        try:
            lines = path.read_text(encoding="ascii").splitlines()
        except (OSError, UnicodeDecodeError):
            lines = []
        notes = dict(line.split(" ", 1) for line in lines if " " in line)
        if len(lines) > _NOTES_PER_FILE * len(notes):
            with suppress(OSError):
                write_durably(path, (f"{key} {state}\n".encode() for key, state in notes.items()))
        _read[path] = notes
    return _read[path]


def _notes_path(folder: Path) -> Path:
    return cache_folder("outputs") / hashlib.sha256(os.fsencode(folder)).hexdigest()[:32]


def _key(name: str) -> str:
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:32]


def _state(status: os.stat_result) -> str:
    return f"{status.st_size} {status.st_mtime_ns}"
