"""Lists the keys of an LMDB file without touching a single value.

LMDB's own cursor looks at the first page of every value, also when only keys are asked for. For LSUN's
bedrooms these are three million reads all over 43 GB, hours on a disk that has to seek. The keys themselves
lie in one page of 72, so this reads the B-tree directly: the file's format (version 1) has been fixed since
2011, and whatever deviates from it is left to the cursor.
"""

import os
import struct
from collections.abc import Iterator, Sequence
from itertools import batched
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

type NameArray = np.ndarray[tuple[int], np.dtype[np.bytes_]]

_PAGE_HEADER: Final = struct.Struct("<QHHHH")  # page number, padding, flags, end of pointers, start of nodes
_DATABASE: Final = struct.Struct("<IHHQQQQQ")  # ..., flags, depth, ..., number of entries, root
_META: Final = struct.Struct("<IIQQ" + 2 * "IHHQQQQQ" + "QQ")  # ..., free pages, main database, ...
_MAGIC: Final = 0xBEEFC0DE
_VERSION: Final = 1
_BRANCH, _LEAF = 0x01, 0x02
_NODE_HEADER_BYTES: Final = 8
_NAMES_A_DATABASE: Final = 0x02
_MIN_PAGE_BYTES: Final = 256
_PAGES_AHEAD: Final = 1024
_ZERO_AT_THE_END: Final = "a key ends with a zero byte, which NumPy takes for padding"


class _Tree(NamedTuple):
    page_bytes: int
    flags: int
    depth: int
    num_entries: int
    root: int
    transaction: int

    @classmethod
    def of(cls, record: Sequence[int], *, page_bytes: int, transaction: int) -> "_Tree":
        _, flags, depth, _, _, _, num_entries, root = record
        return cls(page_bytes, flags, depth, num_entries, root, transaction)


def list_keys(data_file: Path, *, database: bytes | None = None) -> NameArray | None:
    """Return all keys, sorted; None if the file is laid out in a way unknown here, or keys end with zeros.

    Args:
        data_file: ``data.mdb`` of an environment; what is not committed is not seen.
        database: Name of the database; the main one if left out.
    """
    descriptor = os.open(data_file, os.O_RDONLY)
    try:
        tree = _newest_tree(descriptor)
        if tree is not None and database is not None:
            tree = _named_tree(descriptor, tree, database)
        if tree is None or tree.flags != 0 or tree.num_entries == 0:
            return None
        keys = np.concatenate([_keys(leaf) for leaf in _leaves(descriptor, tree)])
    except (struct.error, ValueError, IndexError):  # not the pages that they claim to be
        return None
    finally:
        os.close(descriptor)
    is_whole = len(keys) == tree.num_entries and bool((keys[1:] > keys[:-1]).all())
    return keys if is_whole else None


def _newest_tree(descriptor: int) -> _Tree | None:
    """Read both meta pages; the one of the later transaction counts."""
    first = _tree(descriptor, 0)
    second = first and _tree(descriptor, first.page_bytes)
    if first is None or second is None:
        return None
    return max(first, second, key=lambda tree: tree.transaction)


def _tree(descriptor: int, start: int) -> _Tree | None:
    content = os.pread(descriptor, _META.size, start + _PAGE_HEADER.size)
    if len(content) < _META.size:
        return None
    magic, version, _, _, *free_and_main, _, transaction = _META.unpack(content)
    page_bytes, main = free_and_main[0], free_and_main[8:]
    if (magic, version) != (_MAGIC, _VERSION) or page_bytes < _MIN_PAGE_BYTES:
        return None
    return _Tree.of(main, page_bytes=page_bytes, transaction=transaction)


def _named_tree(descriptor: int, main: _Tree, name: bytes) -> _Tree | None:
    """Find a named database; the main one maps names to their trees."""
    for leaf in _leaves(descriptor, main):
        for start in _nodes(leaf).tolist():
            flags, size = struct.unpack_from("<HH", leaf, start + 4)
            key_start = start + _NODE_HEADER_BYTES
            if flags & _NAMES_A_DATABASE and leaf[key_start : key_start + size] == name:
                record = _DATABASE.unpack_from(leaf, key_start + size)
                return _Tree.of(record, page_bytes=main.page_bytes, transaction=main.transaction)
    return None


def _leaves(descriptor: int, tree: _Tree) -> Iterator[bytes]:
    """Go down from the root, level by level, and yield the pages that hold the keys, in order."""
    numbers = [tree.root]
    for _ in range(tree.depth - 1):
        branches = _read(descriptor, numbers, tree.page_bytes)
        numbers = [child for branch in branches if _flags(branch) == _BRANCH for child in _children(branch)]
    return (page for page in _read(descriptor, numbers, tree.page_bytes) if _flags(page) == _LEAF)


def _read(descriptor: int, numbers: Sequence[int], page_bytes: int) -> Iterator[bytes]:
    """Read pages, telling the kernel well ahead which ones, so that a disk can serve many at once."""
    for group in batched(numbers, _PAGES_AHEAD, strict=False):
        if hasattr(os, "posix_fadvise"):
            for number in group:
                os.posix_fadvise(descriptor, number * page_bytes, page_bytes, os.POSIX_FADV_WILLNEED)
        for number in group:
            yield os.pread(descriptor, page_bytes, number * page_bytes)


def _flags(page: bytes) -> int:
    return int(_PAGE_HEADER.unpack_from(page)[2])


def _nodes(page: bytes) -> np.ndarray[tuple[int], np.dtype[np.uint16]]:
    """Return where the nodes of a page start, in the order of their keys."""
    end = _PAGE_HEADER.unpack_from(page)[3]
    return np.frombuffer(page, "<u2", count=(end - _PAGE_HEADER.size) // 2, offset=_PAGE_HEADER.size)


def _children(page: bytes) -> list[int]:
    """Return the pages below a branch: 48 bits in front of each key."""
    return [int.from_bytes(page[start : start + 6], "little") for start in _nodes(page).tolist()]


def _keys(page: bytes) -> NameArray:
    starts = _nodes(page).astype(int)
    content = np.frombuffer(page, np.uint8)
    sizes = content[starts + 6] + 256 * content[starts + 7].astype(int)
    if (sizes == sizes[0]).all():
        keys = content[starts[:, None] + _NODE_HEADER_BYTES + np.arange(sizes[0])]
        if (keys[:, -1] == 0).any():
            raise ValueError(_ZERO_AT_THE_END)
        return np.ascontiguousarray(keys).view(f"S{sizes[0]}")[:, 0]
    ends = starts + _NODE_HEADER_BYTES + sizes
    if (content[ends - 1] == 0).any():
        raise ValueError(_ZERO_AT_THE_END)
    return np.array(
        [page[end - size : end] for end, size in zip(ends.tolist(), sizes.tolist(), strict=True)], np.bytes_
    )
