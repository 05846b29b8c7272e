"""Files that are either complete or absent: written aside, flushed to the disk, then renamed."""

import errno
import hashlib
import os
import re
import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

DISK_IS_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Numbers of the errors that room on the disk would mend."""


def _numbers_of_processes() -> str:
    """Return what tells apart which processes the numbers are of: containers may share the host's name."""
    try:
        return f"{socket.gethostname()} {Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:  # no Linux
        return socket.gethostname()


_MACHINE: Final = hashlib.sha256(_numbers_of_processes().encode()).hexdigest()[:8]
"""Several machines, or containers, may write into one folder, and each knows only its own processes."""
_TEMPORARY: Final = re.compile(r"\..+\.([0-9a-f]{8})-(\d+)\.tmp", re.DOTALL)
_NAME_BYTES: Final = 200
"""So much of a file's name is in that of its temporary file, which may have 255 bytes."""

_swept: set[Path] = set()
"""Folders in which this process has looked for what others left behind."""


def write_durably(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a file so that no reader, and no power cut, can leave half of it under its final name.

    The directory is created if needed, and flushed too: when this returns, the name is on the disk.
    """
    with written_aside(path) as temporary, temporary.open("wb") as file:
        file.writelines(chunks)


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Give the path of a temporary file to write, which gets its final name at the end of the block.

    If the block fails, nothing is left, and whatever had the final name keeps it. A kill leaves the temporary
    file, until another process first writes into its folder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.parent not in _swept:
        _swept.add(path.parent)
        sweep_leftovers(path.parent)
    temporary = path.with_name(temporary_name(path.name))
    try:
        yield temporary
        flush_to_disk(temporary)
        temporary.replace(path)
    except OSError as error:
        if error.filename == str(temporary):  # a name that nobody has heard of
            error.filename = str(path)
        raise
    finally:
        with suppress(OSError):  # of the name itself, which the block has met already
            temporary.unlink(missing_ok=True)
    flush_to_disk(path.parent)


def temporary_name(name: str, process: int | None = None) -> str:
    """Return what a file of this name is called while a process of this machine, or this one, writes it."""
    stem = os.fsdecode(os.fsencode(name)[:_NAME_BYTES])
    return f".{stem}.{_MACHINE}-{process or os.getpid()}.tmp"


def sweep_leftovers(folder: Path) -> None:
    """Delete the temporary files in a folder that processes of this machine have left there."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            match = _TEMPORARY.fullmatch(entry.name)
            if match is not None and match[1] == _MACHINE and not _is_running(int(match[2])):
                Path(entry.path).unlink(missing_ok=True)


def delete_temporary(folder: Path) -> None:
    """Delete all temporary files in a folder, whoever wrote them: nobody may be writing there any more."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _TEMPORARY.fullmatch(entry.name):
                Path(entry.path).unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it is somebody else's
        return True
    return True


def sha256_of(path: Path) -> str:
    """Return the hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def visible_files(folder: Path, patterns: Sequence[str]) -> list[str]:
    """Return the names of all files at any depth that match, hidden ones and half-written ones left out.

    Args:
        folder: Names are relative to it, with slashes.
        patterns: What names look like, where ``*`` also matches slashes.
    """
    names = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(
        name.as_posix()
        for name in names
        if not any(part.startswith(".") for part in name.parts)
        and any(fnmatchcase(name.as_posix(), pattern) for pattern in patterns)
    )


def flush_to_disk(path: Path) -> None:
    """Wait until the names in a folder, or the content of a file, would survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
