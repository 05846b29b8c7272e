"""Which shard of a round holds a sample, in eight bytes a sample and however many there are.

    samples.npy   uint64, sorted: 40 bits of the hash of a sample's name, then 24 of the number of its shard
    shards.npy    one row per shard: round_index, name, index_sha256

Readers map both files: a search touches a few pages, which the processes of a machine share. Two names may
share their 40 bits, so that a search may find several shards; their indexes know all names.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import UInt64

from shared.errors import ShardError
from shared.storage.files import written_aside

SAMPLES: Final = "samples.npy"
SHARDS: Final = "shards.npy"
ROW: Final = np.dtype([("round_index", "<u4"), ("name", "S80"), ("index_sha256", "u1", 32)])

_SHARD_BITS: Final = np.uint64(24)
MAX_SHARDS: Final = 1 << 24
_LARGEST_RUN: Final = 1 << 24
_WRITTEN_AT_ONCE: Final = 1 << 18
_READ_WHOLE_BYTES: Final = 1 << 16


def _hashes(names: Iterable[str]) -> UInt64[np.ndarray, " names"]:
    """Return the upper 40 bits of the numbers of samples."""
    digests = b"".join(hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names)
    return np.frombuffer(digests, "<u8") >> _SHARD_BITS << _SHARD_BITS


def _found(numbers: UInt64[np.ndarray, " samples"], hashed: np.uint64) -> list[int]:
    """Return the shards of all samples with a hash, among sorted numbers."""
    first = int(np.searchsorted(numbers, hashed))
    shards = []
    while first < len(numbers) and numbers[first] >> _SHARD_BITS == hashed >> _SHARD_BITS:
        shards.append(int(numbers[first]) & (MAX_SHARDS - 1))
        first += 1
    return shards


class SampleTable:
    """The numbers of a round's samples while the round grows, in sorted runs of growing length."""

    def __init__(self) -> None:
        self._runs: list[UInt64[np.ndarray, " run"]] = []

    def __len__(self) -> int:
        return sum(map(len, self._runs))

    def add(self, names: Sequence[str], shard: int) -> dict[str, list[int]]:
        """Add the samples of a shard, and return those whose hash was there, with the shards that had it."""
        hashes = _hashes(names)
        there: dict[str, list[int]] = {}
        for run in self._runs:
            places = np.searchsorted(run, hashes)
            places[places == len(run)] = 0
            for row in np.flatnonzero(run[places] >> _SHARD_BITS == hashes >> _SHARD_BITS):
                there.setdefault(names[int(row)], []).extend(_found(run, hashes[row]))
        self._runs.append(np.sort(hashes | np.uint64(shard)))
        while len(self._runs) > 1 and self._should_merge(*self._runs[-2:]):
            last = self._runs.pop()
            merged = np.concatenate([self._runs.pop(), last])
            merged.sort(kind="stable")
            self._runs.append(merged)
        return there

    def write(self, path: Path) -> None:
        """Write all numbers in order."""
        with written_aside(path) as temporary, temporary.open("wb") as file:
            form = {"descr": "<u8", "fortran_order": False, "shape": (len(self),)}
            np.lib.format.write_array_header_1_0(file, form)
            for numbers in self._in_order():
                file.write(numbers.tobytes())

    @staticmethod
    def _should_merge(longer: UInt64[np.ndarray, " run"], last: UInt64[np.ndarray, " run"]) -> bool:
        return len(longer) <= 2 * len(last) and len(longer) + len(last) <= _LARGEST_RUN

    def _in_order(self) -> Iterator[UInt64[np.ndarray, " some"]]:
        """Yield what the runs hold, one range of numbers after the other."""
        ranges = 1 + len(self) // _WRITTEN_AT_ONCE
        edges = [np.uint64((number << 64) // ranges) for number in range(1, ranges)]
        ends = [[0, *np.searchsorted(run, edges).tolist(), len(run)] for run in self._runs]
        for number in range(ranges):
            parts = [run[end[number] : end[number + 1]] for run, end in zip(self._runs, ends, strict=True)]
            yield np.sort(np.concatenate(parts)) if parts else np.empty(0, np.uint64)


def load_table(path: Path, dtype: np.dtype[Any]) -> np.ndarray:
    """Return one of the two tables, mapped if it is large.

    Raises:
        ShardError: It is missing or damaged.
    """
    try:
        large = path.stat().st_size > _READ_WHOLE_BYTES
        table: np.ndarray = np.load(path, mmap_mode="r" if large else None, allow_pickle=False)
        if table.dtype != dtype or table.ndim != 1:
            raise ValueError(f"another kind of array, {table.dtype!s:.60}")
    except (OSError, ValueError, EOFError, TypeError) as error:
        raise ShardError(
            f"{path}: expected a table of a round, found {error}.",
            remedy="Delete the manifest beside it and render the round again; complete shards are kept.",
        ) from error
    return table


def shards_of(numbers: UInt64[np.ndarray, " samples"], name: str) -> list[int]:
    """Return the numbers of the shards that may hold a sample: none, one, or rarely more."""
    return _found(numbers, _hashes([name])[0])
