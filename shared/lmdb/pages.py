"""The pages of an LMDB file, read without LMDB: its B-trees and their leaves.

The file's format (version 1) has been fixed since 2011. Another one is not read.
"""

import os
import struct
from collections.abc import Iterator, Sequence
from itertools import batched
from typing import Final, NamedTuple

import numpy as np

NODE_HEADER_BYTES: Final = 8
PAGE_HEADER: Final = struct.Struct("<QHHHH")  # page number, padding, flags, end of pointers, start of nodes
_DATABASE: Final = struct.Struct("<IHHQQQQQ")  # ..., flags, depth, ..., number of entries, root
_META: Final = struct.Struct("<IIQQ" + 2 * "IHHQQQQQ" + "QQ")  # ..., free pages, main database, ...
_MAGIC: Final = 0xBEEFC0DE
_VERSION: Final = 1
BRANCH, LEAF = 0x01, 0x02
_NAMES_A_DATABASE: Final = 0x02
_MIN_PAGE_BYTES: Final = 256
_PAGES_AHEAD: Final = 1024


class Tree(NamedTuple):
    """A database of the file.

    Attributes:
        page_bytes: Size of a page.
        flags: How its entries are ordered; 0 for plain keys.
        depth: Levels; 0 if it is empty.
        num_entries: Keys in it.
        root: Page at its top.
        transaction: That committed it.
    """

    page_bytes: int
    flags: int
    depth: int
    num_entries: int
    root: int
    transaction: int

    @classmethod
    def of(cls, record: Sequence[int], *, page_bytes: int, transaction: int) -> "Tree":
        """Read LMDB's record of a database."""
        _, flags, depth, _, _, _, num_entries, root = record
        return cls(page_bytes, flags, depth, num_entries, root, transaction)


class Trees(NamedTuple):
    """What a transaction committed.

    Attributes:
        free: Lists the pages that are not in use, by the transaction that freed them.
        main: The entries, or the named databases.
    """

    free: Tree
    main: Tree


def newest_trees(descriptor: int) -> Trees | None:
    """Read both meta pages; the one of the later transaction counts. None for another format."""
    first = _trees(descriptor, 0)
    second = first and _trees(descriptor, first.main.page_bytes)
    if first is None or second is None:
        return None
    return max(first, second, key=lambda trees: trees.main.transaction)


def named_tree(descriptor: int, main: Tree, name: bytes) -> Tree | None:
    """Find a named database; the main one maps names to their trees."""
    for leaf in leaves(descriptor, main):
        for start in node_starts(leaf).tolist():
            flags, size = struct.unpack_from("<HH", leaf, start + 4)
            key_start = start + NODE_HEADER_BYTES
            if flags & _NAMES_A_DATABASE and leaf[key_start : key_start + size] == name:
                record = _DATABASE.unpack_from(leaf, key_start + size)
                return Tree.of(record, page_bytes=main.page_bytes, transaction=main.transaction)
    return None


def leaves(descriptor: int, tree: Tree) -> Iterator[bytes]:
    """Go down from the root, level by level, and yield the pages that hold the keys, in order."""
    numbers = [tree.root] if tree.depth else []
    for _ in range(tree.depth - 1):
        branches = read_pages(descriptor, numbers, tree.page_bytes)
        numbers = [child for branch in branches if _flags(branch) == BRANCH for child in _children(branch)]
    return (page for page in read_pages(descriptor, numbers, tree.page_bytes) if _flags(page) == LEAF)


def node_starts(page: bytes) -> np.ndarray[tuple[int], np.dtype[np.uint16]]:
    """Return where the nodes of a page start, in the order of their keys."""
    end = PAGE_HEADER.unpack_from(page)[3]
    return np.frombuffer(page, "<u2", count=(end - PAGE_HEADER.size) // 2, offset=PAGE_HEADER.size)


def _trees(descriptor: int, start: int) -> Trees | None:
    content = os.pread(descriptor, _META.size, start + PAGE_HEADER.size)
    if len(content) < _META.size:
        return None
    magic, version, _, _, *free_and_main, _, transaction = _META.unpack(content)
    page_bytes = free_and_main[0]
    if (magic, version) != (_MAGIC, _VERSION) or page_bytes < _MIN_PAGE_BYTES:
        return None
    free, main = (
        Tree.of(record, page_bytes=page_bytes, transaction=transaction)
        for record in (free_and_main[:8], free_and_main[8:])
    )
    return Trees(free, main)


def read_pages(descriptor: int, numbers: Sequence[int], page_bytes: int) -> Iterator[bytes]:
    """Read pages, telling the kernel well ahead which ones, so that a disk can serve many at once."""
    for group in batched(numbers, _PAGES_AHEAD, strict=False):
        if hasattr(os, "posix_fadvise"):
            for number in group:
                os.posix_fadvise(descriptor, number * page_bytes, page_bytes, os.POSIX_FADV_WILLNEED)
        for number in group:
            yield os.pread(descriptor, page_bytes, number * page_bytes)


def _flags(page: bytes) -> int:
    return int(PAGE_HEADER.unpack_from(page)[2])


def _children(page: bytes) -> list[int]:
    """Return the pages below a branch: 48 bits in front of each key."""
    return [int.from_bytes(page[start : start + 6], "little") for start in node_starts(page).tolist()]
