"""Local copies of what is at a URL, for code that works on files.

Copies are stored in the user's cache directory, one for each URL, and stay there for the next time. Processes
of one machine wait for each other, so only the first one fetches.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from shared.storage.cache import cache_folder
from shared.storage.files import visible_files
from shared.storage.location import Location, is_url
from shared.storage.lock import alone_with
from shared.storage.object_store import ObjectStore
from shared.storage.publishing import EVERYTHING, download, publish, read_listing


def fetch(location: Location, *, only: Sequence[str] = EVERYTHING) -> Path:
    """Return a path as it is, and for a URL a local copy that is up to date.

    Args:
        location: A folder.
        only: Patterns of the names that are needed; there, ``*`` also matches slashes.

    Raises:
        StorageError: There is nothing at the URL, or it cannot be read.
    """
    if not is_url(location):
        return Path(location)
    folder = _copy_of(str(location))
    with alone_with(folder / ".lock"):
        download(str(location), folder, only=only)
    return folder


@contextmanager
def working_copy(location: Location, *, only: Sequence[str] = EVERYTHING) -> Iterator[Path]:
    """Give a folder to work in, and publish it at its URL when that has succeeded.

    After an interruption the local copy is the newer one, and is continued.

    Args:
        location: A folder that may not exist yet.
        only: Patterns of the names that belong to it.

    Raises:
        StorageError: The URL cannot be read or written.
    """
    if not is_url(location):
        yield Path(location)
        return
    url, folder = str(location), _copy_of(str(location))
    with alone_with(folder / ".lock"):
        if read_listing(ObjectStore(url)) is not None:
            download(url, folder, only=only, keep_changes=True)
        yield folder
        publish(folder, url, visible_files(folder, only))


def _copy_of(url: str) -> Path:
    url = url.rstrip("/")
    return (
        cache_folder("remote") / f"{url.rpartition('/')[2]}-{hashlib.sha256(url.encode()).hexdigest()[:16]}"
    )
