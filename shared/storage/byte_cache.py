"""Pieces of objects at URLs on this machine's disk, each under the hash of its content, within a bound.

Any number of processes read and write one cache. Whoever adds a piece is alone while it does; when there is
no room, those that were used longest ago go. A piece is checked whenever it is used, so that what was
damaged is fetched again.

    .used      bytes that the pieces may take up; noted before one is written, so that a kill leaves too many
    {sha256}   a piece; its time is that of its last use
"""

import hashlib
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from shared.storage.lock import alone_with

logger = logging.getLogger(__name__)

_BLOCK_BYTES: Final = 4096
_NAME_BYTES: Final = 128
"""Of a piece in its folder."""
_KEPT_SHARE: Final = 0.9
"""Of the bound, when room is made, so that it is not made for every piece."""
_USED: Final = ".used"
_TEMPORARY: Final = ".piece.tmp"


class ByteCache:
    """The cache in a folder.

    Args:
        folder: Its own; made if it is missing.
        most_bytes: The pieces take up no more than this on the disk, blocks and names included.
    """

    def __init__(self, folder: Path, *, most_bytes: int) -> None:
        self._folder, self._most_bytes = folder, most_bytes
        self._is_fitted = False
        self._is_usable = True

    def get(self, sha256: str, fetch: Callable[[], bytes]) -> bytes:
        """Return the piece with this hash if it is here, or else what `fetch` returns, whatever that is.

        Where nothing can be stored, for example because the disk is full, pieces are fetched all the same.
        """
        path = self._folder / sha256
        self._fit()
        with suppress(OSError):
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() == sha256:
                with suppress(OSError):  # another process has just made room
                    os.utime(path)
                return content
            logger.warning("%s was damaged on the disk; fetching it again.", path)
            path.unlink(missing_ok=True)
        content = fetch()
        if hashlib.sha256(content).hexdigest() == sha256:
            self._keep(path, content)
        return content

    def _fit(self) -> None:
        """Make room once, in case that the bound was higher before."""
        if self._is_fitted:
            return
        self._is_fitted = True
        with self._giving_up(), alone_with(self._folder / ".lock"):
            if self._used() > self._most_bytes:
                self._make_room(0)

    def _keep(self, path: Path, content: bytes) -> None:
        size = _size_on_disk(len(content))
        if size > self._most_bytes or not self._is_usable:
            return
        with self._giving_up(), alone_with(self._folder / ".lock"):
            if path.exists():
                return
            used = self._used()
            if used + size > self._most_bytes:
                used = self._make_room(size)
            self._note(used + size)
            temporary = self._folder / _TEMPORARY
            temporary.write_bytes(content)
            temporary.replace(path)

    def _used(self) -> int:
        """Return what all pieces may take up."""
        try:
            return int((self._folder / _USED).read_text(encoding="ascii"))
        except (FileNotFoundError, ValueError):
            return sum(size for _, size, _ in self._pieces())

    def _note(self, used: int) -> None:
        (self._folder / _USED).write_text(str(used), encoding="ascii")

    def _make_room(self, wanted: int) -> int:
        """Delete what was used longest ago, and return what the rest takes up."""
        pieces = sorted(self._pieces())
        used = sum(size for _, size, _ in pieces)
        aim = min(self._most_bytes - wanted, int(_KEPT_SHARE * self._most_bytes))
        for _, size, path in pieces:
            if used <= aim:
                break
            path.unlink(missing_ok=True)
            used -= size
        self._note(used)
        return used

    def _pieces(self) -> Iterator[tuple[int, int, Path]]:
        """Yield time of last use, size on the disk, and path."""
        (self._folder / _TEMPORARY).unlink(missing_ok=True)  # of a process that was killed
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if not entry.name.startswith("."):
                    with suppress(FileNotFoundError):  # it was damaged, and another process has deleted it
                        status = entry.stat(follow_symlinks=False)
                        yield status.st_mtime_ns, _size_on_disk(status.st_size), Path(entry.path)

    @contextmanager
    def _giving_up(self) -> Iterator[None]:
        """Go on without storing anything once the disk refuses."""
        try:
            yield
        except OSError as error:
            self._is_usable = False
            logger.warning(
                "%s: cannot be written (%s); what is needed is fetched every time.",
                *(self._folder, error.strerror or error),
            )


def _size_on_disk(num_bytes: int) -> int:
    return -(-num_bytes // _BLOCK_BYTES) * _BLOCK_BYTES + _NAME_BYTES
