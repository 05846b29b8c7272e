"""Synthetic rounds: a directory of shards that counts as a whole once its manifest is there.

    round-0003/shard-00000.tar   the twins that were drawn for this round, with their index beside them
    round-0003/manifest.json     written last: these shards, and the twins kept from earlier rounds

What the manifest consists of is in `shared.twins.manifest`.

A round shows some twins of every photograph, mostly one. Where one was not drawn again, the manifest refers
to the shard of the earlier round that holds it, in a sibling directory; `forget_rounds` leaves such shards
alone.
"""

from collections import Counter, OrderedDict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, NamedTuple, Self

import numpy as np

from shared.errors import ShardError
from shared.storage.cache import DEFAULT_CACHE_MB
from shared.storage.files import sha256_of
from shared.twins.lookup import ROW, SAMPLES, SHARDS, load_table, shards_of
from shared.twins.manifest import (
    MANIFEST,
    Manifest,
    ShardEntry,
    read_manifest,
    read_part,
)
from shared.twins.names import round_name, twin_name
from shared.twins.sample import Provenance, SyntheticSample
from shared.twins.shard_index import index_path, is_there
from shared.twins.shards import SyntheticShard
from shared.twins.stored_shards import RoundStore, StoredShard

_CACHED_SAMPLES: Final = 1 << 17
"""Samples whose places in their tars stay in memory, in each process that reads a round."""


class _Row(NamedTuple):
    """A shard as it is in the table of shards."""

    round_index: int
    name: str
    index_sha256: str


@dataclass(frozen=True)
class SyntheticRound:
    """Random access to a committed round by sample id; can be pickled and forked.

    Its memory does not grow with the samples: tables are mapped, and only some indexes stay.

    Attributes:
        directory: Folder of the manifest, and of the shards unless they are at a URL.
        manifest: What the round consists of.
        cache_mb: Bound of this machine's cache of what is at a URL.
    """

    directory: Path
    manifest: Manifest
    cache_mb: int = DEFAULT_CACHE_MB

    @classmethod
    def open(cls, directory: Path, *, cache_mb: int = DEFAULT_CACHE_MB) -> Self:
        """Open a round; the shards themselves are looked at when a sample is read.

        Args:
            directory: Folder of the round.
            cache_mb: Bound of this machine's cache of shards that are at a URL.

        Raises:
            ShardError: The round was not committed, or its manifest cannot be read.
        """
        return cls(directory, read_manifest(directory), cache_mb)

    def __reduce__(self) -> tuple[object, ...]:
        # Without what is mapped or remembered.
        return type(self), (self.directory, self.manifest, self.cache_mb)

    def entries(self) -> Iterator[ShardEntry]:
        """Yield all shards with the names of their samples: its own in order, then those of earlier rounds.

        Raises:
            ShardError: A part of the manifest cannot be read.
        """
        for part in self.manifest.parts:
            yield from read_part(self.directory, part)

    def files(self) -> list[Path]:
        """Return all files of the round besides its shards."""
        names = (MANIFEST, SAMPLES, SHARDS, *(part.name for part in self.manifest.parts))
        return [self.directory / name for name in names]

    @cached_property
    def _sample_table(self) -> np.ndarray:
        return self._table(SAMPLES, np.dtype("<u8"), self.manifest.samples_sha256)

    @cached_property
    def _shard_table(self) -> np.ndarray:
        return self._table(SHARDS, ROW, self.manifest.shards_sha256)

    def _table(self, name: str, dtype: np.dtype[np.generic], expected_sha256: str) -> np.ndarray:
        path = self.directory / name
        table = load_table(path, dtype)
        if sha256_of(path) != expected_sha256:
            raise ShardError(
                f"{path}: expected sha256 {expected_sha256[:16]}…, found another.",
                remedy=f"Delete {MANIFEST} and render the round again; complete shards are kept.",
            )
        return table

    @cached_property
    def _opened(self) -> OrderedDict[int, SyntheticShard]:
        """Shards whose indexes were read; the one that was used last is at the end."""
        return OrderedDict()

    def _row(self, number: int) -> _Row:
        if number >= len(self._shard_table):
            raise ShardError(
                f"{self.directory / SAMPLES}: expected shards of {SHARDS}, found number {number}.",
                remedy=f"Delete {MANIFEST} and render the round again; complete shards are kept.",
            )
        row = self._shard_table[number]
        name = bytes(row["name"]).decode(errors="replace")
        return _Row(int(row["round_index"]), name, bytes(row["index_sha256"]).hex())

    def _path(self, round_index: int, name: str) -> Path:
        own = round_index == self.manifest.round_index
        return (self.directory if own else self.directory.parent / round_name(round_index)) / name

    def tar_path(self, entry: ShardEntry) -> Path:
        """Return the path of a shard of the round, or where it would be, were it not at a URL."""
        return self._path(entry.round_index, entry.name)

    def tar_paths(self) -> Iterator[Path]:
        """Yield the paths of all shards, as `tar_path` has them."""
        for number in range(len(self._shard_table)):
            row = self._row(number)
            yield self._path(row.round_index, row.name)

    def shards(self) -> Iterator[SyntheticShard]:
        """Yield all shards, wherever they are."""
        for number in range(len(self._shard_table)):
            yield self._open_shard(self._row(number))

    def missing_shards(self) -> list[Path]:
        """Return the shards that are gone or incomplete; their contents are not looked at.

        Raises:
            StorageError: They are at a URL that cannot be read.
        """
        if self.manifest.store is None:
            return [path for path in self.tar_paths() if not is_there(path)]
        store = RoundStore(self.manifest.store)
        rows = map(self._row, range(len(self._shard_table)))
        return [
            self._path(row.round_index, row.name)
            for row in rows
            if not store.has_whole(row.round_index, row.name)
        ]

    def count_by_round(self) -> Counter[int]:
        """Count the twins by the round whose predictions they show."""
        return Counter(self.manifest.shown)

    def entries_of(self, sample_ids: Collection[str]) -> tuple[ShardEntry, ...]:
        """Return what the manifest of a later round says in order to keep the twins of these samples."""
        narrowed = (
            entry.model_copy(
                update={
                    "sample_ids": tuple(name for name in entry.sample_ids if name in sample_ids),
                    "quarantined": {},
                }
            )
            for entry in self.entries()
        )
        return tuple(entry for entry in narrowed if entry.sample_ids)

    @property
    def sample_ids(self) -> tuple[str, ...]:
        """All samples that have a twin, in order."""
        return tuple(name for entry in self.entries() for name in entry.sample_ids)

    @property
    def provenance(self) -> Provenance | None:
        """How the round was made; None for a round without shards of its own."""
        return self.manifest.provenance

    @property
    def quarantined(self) -> dict[str, str]:
        """Samples that could not be drawn for this round, and why."""
        return {name: why for entry in self.entries() for name, why in entry.quarantined.items()}

    def __len__(self) -> int:
        return sum(self.manifest.shown.values())

    def __contains__(self, sample_id: object) -> bool:
        return isinstance(sample_id, str) and self._number_of(sample_id) is not None

    def twins_of(self, photograph: str) -> tuple[str, ...]:
        """Return the names of the twins that a photograph has, in the order of their numbers."""
        names = (twin_name(photograph, copy) for copy in range(self.manifest.most_twins))
        return tuple(name for name in names if name in self)

    def round_of(self, sample_id: str) -> int:
        """Return the round whose prediction the twin of a sample shows, which must have one.

        Raises:
            KeyError: It has none.
        """
        numbers = shards_of(self._sample_table, sample_id)
        number = numbers[0] if len(numbers) == 1 else self._number_of(sample_id)
        if number is None:
            raise KeyError(sample_id)
        return self._row(number).round_index

    def read(self, sample_id: str) -> SyntheticSample:
        """Return one sample, verified against the checksums of its shard.

        Raises:
            ShardError: The round has no such sample, or what is stored is not what was committed.
        """
        number = self._number_of(sample_id)
        if number is None:
            raise ShardError(f"{self.directory}: expected sample {sample_id} in the round, found none.")
        return self._shard(number).read(sample_id)

    def _number_of(self, sample_id: str) -> int | None:
        """Return the number of the shard with a sample; its index decides, because hashes collide."""
        numbers = shards_of(self._sample_table, sample_id)
        return next((number for number in numbers if sample_id in self._shard(number).index.samples), None)

    def _shard(self, number: int) -> SyntheticShard:
        """Return a shard whose index is what was committed."""
        shard = self._opened.get(number)
        if shard is None:
            shard = self._open_shard(self._row(number))
            self._opened[number] = shard
            while len(self._opened) > 1 and len(self._opened) * len(shard.index.samples) > _CACHED_SAMPLES:
                self._opened.popitem(last=False)
        self._opened.move_to_end(number)
        return shard

    def _open_shard(self, row: _Row) -> SyntheticShard:
        path, store = self._path(row.round_index, row.name), self.manifest.store
        if store is None:
            shard = SyntheticShard(path)
            _check_index(shard, row.index_sha256)
            return shard
        return StoredShard(
            tar_path=path,
            url=RoundStore(store).folder(row.round_index),
            committed_sha256=row.index_sha256,
            cache_mb=self.cache_mb,
        )


def _check_index(shard: SyntheticShard, expected_sha256: str) -> None:
    """Refuse an index that changed after the round was committed."""
    found = shard.index_sha256
    if found != expected_sha256:
        raise ShardError(
            f"{index_path(shard.tar_path)}: expected sha256 {expected_sha256[:16]}…, found {found[:16]}….",
            remedy=f"Delete {MANIFEST} and render the round again.",
        )
