"""Whether an LMDB file reaches as far as its pages; to read behind the end of a cut one kills the process.

LMDB maps the file into memory and believes its first pages, so it opens what an interrupted copy left.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import lmdb

from shared.errors import BackgroundError
from shared.lmdb.pages import NODE_HEADER_BYTES, PAGE_HEADER, leaves, newest_trees, node_starts

_ON_PAGES_OF_ITS_OWN: Final = 0x01
_NUMBER_BYTES: Final = 8


def require_complete(environment: lmdb.Environment, path: Path) -> None:
    """Close the environment again if its file was cut.

    Raises:
        BackgroundError: It was.
    """
    data = path / "data.mdb"
    page_bytes = environment.stat()["psize"]
    num_pages = environment.info()["last_pgno"] + 1
    size_bytes = data.stat().st_size  # after the number of pages, for another process may write meanwhile
    if size_bytes >= num_pages * page_bytes or not _are_in_use(
        data, range(size_bytes // page_bytes, num_pages)
    ):
        return
    environment.close()
    raise BackgroundError(
        f"{data}: expected {num_pages * page_bytes} bytes, found {size_bytes}; the file was cut.",
        remedy="Copy, download or make it again.",
    )


def _are_in_use(data: Path, pages: range) -> bool:
    """Tell whether any of the pages holds something; False if that cannot be told.

    A transaction that frees a page which it has itself put behind the end does not write it, but counts it.
    """
    with data.open("rb") as file:
        trees = newest_trees(file.fileno())
        if trees is None:
            return False
        free: set[int] = set()
        try:
            if trees.free.num_entries:
                for leaf in leaves(file.fileno(), trees.free):
                    free.update(_numbers(file.fileno(), leaf, trees.free.page_bytes))
        except (struct.error, ValueError, IndexError):  # the list of free pages is behind the cut itself
            return True
    return not free.issuperset(pages)


def _numbers(descriptor: int, leaf: bytes, page_bytes: int) -> Iterator[int]:
    """Yield the numbers in a page of lists: each is its length, and so many numbers of 64 bits."""
    for start in node_starts(leaf).tolist():
        low, high, flags, key_bytes = struct.unpack_from("<HHHH", leaf, start)
        size_bytes, begin = low + (high << 16), start + NODE_HEADER_BYTES + key_bytes
        content = leaf[begin : begin + size_bytes]
        if flags & _ON_PAGES_OF_ITS_OWN:
            (first,) = struct.unpack_from("<Q", leaf, begin)
            content = os.pread(descriptor, size_bytes, first * page_bytes + PAGE_HEADER.size)
        (length,) = struct.unpack_from("<Q", content)
        yield from struct.unpack_from(f"<{length}Q", content, _NUMBER_BYTES)
