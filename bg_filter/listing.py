"""The names of all pictures of all sources, and which of them to look at.

Walking over the keys of a category takes seconds when its file is in memory and minutes on a slow disk, so
the names are kept beside the database, for as long as the category does not change.
"""

import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from bg_filter.sources import MAX_KEY_BYTES, PhotoSource
from shared.archives import DAMAGED_ARCHIVE
from shared.errors import BackgroundError
from shared.json_text import parse_json
from shared.lmdb.keys import NameArray
from shared.storage.files import write_durably

WALKED_AT_ONCE = 4096  # numbers that are Python objects at the same time


@dataclass(frozen=True, slots=True)
class Candidate:
    """A picture to look at.

    Attributes:
        source: Where it is.
        name: Its name there.
    """

    source: PhotoSource
    name: str

    @property
    def key(self) -> str:
        """Its name in the database."""
        return f"{self.source.name}/{self.name}"


class Listing:
    """All pictures of some sources, counted through in the order of the sources and their names.

    Args:
        sources: Where the pictures are.
        cache: Folder for the names of sources that know when they change; made if missing.
    """

    def __init__(self, sources: Sequence[PhotoSource], *, cache: Path) -> None:
        self._sources = sources
        self._names = [_names(source, cache) for source in sources]
        self._ends = np.cumsum([len(names) for names in self._names])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def choose(self, *, limit: int | None = None, seed: int | None = None) -> Int64[np.ndarray, " chosen"]:
        """Return the numbers of the pictures to look at, ascending.

        Args:
            limit: How many; all if left out.
            seed: Chooses at random instead of from the start. A larger limit adds to a smaller one's choice.
        """
        count = len(self) if limit is None else min(limit, len(self))
        if seed is None:
            return np.arange(count)
        return np.sort(np.random.default_rng(seed).permutation(len(self))[:count])

    def candidates(self, numbers: Int64[np.ndarray, " chosen"]) -> Iterator[Candidate]:
        """Walk over some pictures, by number."""
        for start in range(0, len(numbers), WALKED_AT_ONCE):
            group = numbers[start : start + WALKED_AT_ONCE]
            owners = np.searchsorted(self._ends, group, side="right")
            for number, owner in zip(group.tolist(), owners.tolist(), strict=True):
                names = self._names[owner]
                name = names[number - int(self._ends[owner]) + len(names)]
                yield Candidate(self._sources[owner], os.fsdecode(name))


def _names(source: PhotoSource, cache: Path) -> NameArray:
    names = _cached_names(source, cache)
    if len(os.fsencode(source.name)) + 1 + names.dtype.itemsize > MAX_KEY_BYTES:
        raise BackgroundError(
            (
                f"{source.path}: expected names of at most {MAX_KEY_BYTES} bytes together with the folder's, "
                f"found one of {names.dtype.itemsize}."
            ),
            remedy="Shorten the names of its folders or files.",
        )
    return names


def _cached_names(source: PhotoSource, cache: Path) -> NameArray:
    if source.stamp is None:
        return source.names()
    array_file, stamp_file = cache / f"{source.name}.npy", cache / f"{source.name}.json"
    try:
        if parse_json(stamp_file.read_text()) == source.stamp:
            kept = np.load(array_file, mmap_mode="r", allow_pickle=False)
            if kept.ndim == 1 and kept.dtype.kind == "S":
                return np.asarray(kept)
    except DAMAGED_ARCHIVE:  # there is none, or it was damaged: either way, make it
        pass
    names = source.names()
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(names))
    try:
        stamp_file.unlink(missing_ok=True)
        write_durably(array_file, chain([header.getvalue()], _in_pieces(names)))
        write_durably(stamp_file, [json.dumps(source.stamp).encode()])  # last: the array is complete
    except OSError as error:
        raise BackgroundError(
            (
                f"{cache.parent}: expected a directory to write a background database to, "
                f"found a problem: {error}."
            ),
            remedy="Make room, or give another --out.",
        ) from error
    return names


def _in_pieces(names: NameArray) -> Iterator[bytes]:
    return (names[start : start + WALKED_AT_ONCE].tobytes() for start in range(0, len(names), WALKED_AT_ONCE))
