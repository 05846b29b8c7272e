"""One writer for one folder: a second one would mix up what the first one writes. It is refused, or waits.

The lock is the kernel's, on an open file. A process that dies lets go at once, and workers that it forked do
not inherit it.
"""

import fcntl
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Lock:
    """A lock that is held until it is released, or nobody knows it any more.

    Args:
        path: The file, which whoever holds the lock may delete.
        descriptor: Of that file; closed in the end.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._close = weakref.finalize(self, os.close, descriptor)

    def release(self) -> None:
        """Let others in; repeating the call changes nothing."""
        self._close()


def take_lock(path: Path) -> Lock | None:
    """Return the lock on a file, or None if another process has it. The folder is created if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            os.close(descriptor)
            return None
        if path.exists() and os.path.samestat(path.stat(), os.fstat(descriptor)):
            return Lock(path, descriptor)
        os.close(descriptor)  # its holder deleted it between the two calls


@contextmanager
def alone_with(path: Path) -> Iterator[None]:
    """Wait until no other process has a file, and keep others out. The folder is created if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
