"""Temporary folders: one that can be written to, and one whose name is short enough for sockets."""

import os
import tempfile
from pathlib import Path
from typing import Final

from shared.errors import StorageError

LONGEST_SOCKET: Final = 107
"""Bytes of a socket's whole path."""
_ROOM_BYTES: Final = 1 << 20
_OTHERS: Final = (Path("/tmp"), Path("/var/tmp"))


def require_temporary_folder() -> Path:
    """Return where temporary files go.

    Raises:
        StorageError: There is no such place, or not a byte of room in it.
    """
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError as error:
        raise StorageError(
            "temporary files: expected a folder with room in it, found none: not $TMPDIR, /tmp or /var/tmp.",
            remedy="Make room, or set TMPDIR.",
        ) from error


def folder_for_sockets(longest_name: str) -> Path:
    """Return a temporary folder whose sockets have names that the system takes.

    Args:
        longest_name: Of a socket in it; a path.

    Raises:
        StorageError: There is none.
    """
    preferred = [Path(os.environ[name]) for name in ("RAY_TMPDIR", "TMPDIR") if os.environ.get(name)]
    for folder in (*preferred, *_OTHERS):
        if len(os.fsencode(folder / longest_name)) <= LONGEST_SOCKET and _has_room(folder):
            return folder
    looked_at = ", ".join(map(str, (*preferred, *_OTHERS)))
    most = LONGEST_SOCKET - len(longest_name) - 1
    raise StorageError(
        f"temporary files: expected a folder with room in it, whose name has at most {most} bytes because "
        f"sockets are made there, found none of {looked_at}.",
        remedy="Make room, or set TMPDIR.",
    )


def _has_room(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_ROOM_BYTES))
            file.flush()
    except OSError:
        return False
    return True
