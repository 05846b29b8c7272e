"""Lists the keys of an LMDB file without touching a single value.

LMDB's own cursor looks at the first page of every value, also when only keys are asked for. For LSUN's
bedrooms these are three million reads all over 43 GB, hours on a disk that has to seek. The keys themselves
lie in one page of 72, so this reads the B-tree directly (`shared.lmdb.pages`), and whatever is laid out
differently is left to the cursor.
"""

import os
import struct
from pathlib import Path
from typing import Final

import numpy as np

from shared.lmdb.pages import NODE_HEADER_BYTES, leaves, named_tree, newest_trees, node_starts

type NameArray = np.ndarray[tuple[int], np.dtype[np.bytes_]]

_ZERO_AT_THE_END: Final = "a key ends with a zero byte, which NumPy takes for padding"


def list_keys(data_file: Path, *, database: bytes | None = None) -> NameArray | None:
    """Return all keys, sorted; None if the file is laid out in a way unknown here, or keys end with zeros.

    Args:
        data_file: ``data.mdb`` of an environment; what is not committed is not seen.
        database: Name of the database; the main one if left out.
    """
    descriptor = os.open(data_file, os.O_RDONLY)
    try:
        trees = newest_trees(descriptor)
        tree = None if trees is None else trees.main
        if tree is not None and database is not None:
            tree = named_tree(descriptor, tree, database)
        if tree is None or tree.flags != 0 or tree.num_entries == 0:
            return None
        keys = np.concatenate([_keys(leaf) for leaf in leaves(descriptor, tree)])
    except (struct.error, ValueError, IndexError):  # not the pages that they claim to be
        return None
    finally:
        os.close(descriptor)
    is_complete = len(keys) == tree.num_entries and bool((keys[1:] > keys[:-1]).all())
    return keys if is_complete else None


def _keys(page: bytes) -> NameArray:
    starts = node_starts(page).astype(int)
    content = np.frombuffer(page, np.uint8)
    sizes = content[starts + 6] + 256 * content[starts + 7].astype(int)
    if (sizes == sizes[0]).all():
        keys = content[starts[:, None] + NODE_HEADER_BYTES + np.arange(sizes[0])]
        if (keys[:, -1] == 0).any():
            raise ValueError(_ZERO_AT_THE_END)
        return np.ascontiguousarray(keys).view(f"S{sizes[0]}")[:, 0]
    ends = starts + NODE_HEADER_BYTES + sizes
    if (content[ends - 1] == 0).any():
        raise ValueError(_ZERO_AT_THE_END)
    return np.array(
        [page[end - size : end] for end, size in zip(ends.tolist(), sizes.tolist(), strict=True)], np.bytes_
    )
