"""Files that are either whole or absent: written aside, flushed to the disk, then renamed."""

import errno
import hashlib
import os
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

DISK_IS_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Numbers of the errors that room on the disk would mend."""


def write_durably(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a file so that no reader, and no power cut, can leave half of it under its final name.

    The directory is created if needed, and flushed too: when this returns, the name is on the disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.writelines(chunks)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _flush_directory(path.parent)


def sha256_of(path: Path) -> str:
    """Return the hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def visible_files(folder: Path, patterns: Sequence[str]) -> list[str]:
    """Return the names of all files at any depth that match, hidden ones and half-written ones left out.

    Args:
        folder: Names are relative to it, with slashes.
        patterns: What names look like, where ``*`` also stands for slashes.
    """
    names = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(
        name.as_posix()
        for name in names
        if not any(part.startswith(".") for part in name.parts)
        and any(fnmatchcase(name.as_posix(), pattern) for pattern in patterns)
    )


def _flush_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
