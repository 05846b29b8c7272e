"""Rounds whose shards are at a URL: written there by workers, read by ranges, with a cache on this machine.

    URL/round-0003/shard-00000.tar, shard-00000.index.json

The folder of the round has everything else: its manifest, with the URL, and the tables for search. A shard is
whole once its index is there, which is uploaded when the tar has arrived.
"""

import hashlib
import os
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final

from shared.errors import ShardError
from shared.storage.byte_cache import ByteCache
from shared.storage.cache import cache_folder
from shared.storage.object_store import ObjectStore
from shared.twins.names import round_name
from shared.twins.shard_index import SampleEntry, ShardIndex, index_path, parse_index
from shared.twins.shards import SyntheticShard

_BYTES_PER_MB: Final = 1_000_000
_AGAIN: Final = "Render the round again; complete shards are kept."


class RoundStore:
    """The shards of some rounds.

    Args:
        url: The folder of the folders of rounds.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._listed = dict[int, set[str]]()

    def folder(self, round_index: int) -> str:
        """Return the URL of the folder of a round."""
        return f"{self.url}/{round_name(round_index)}"

    def whole(self, round_index: int) -> set[str]:
        """Return the names of the tars of a round that have their index; their contents are not looked at.

        Raises:
            StorageError: The URL cannot be read.
        """
        found = ObjectStore(self.folder(round_index)).find()
        return {name for name in found if name.endswith(".tar") and index_path(Path(name)).name in found}

    def has_whole(self, round_index: int, name: str) -> bool:
        """Tell whether `whole` has a tar, asking the URL once for each round.

        Raises:
            StorageError: The URL cannot be read.
        """
        if round_index not in self._listed:
            self._listed[round_index] = self.whole(round_index)
        return name in self._listed[round_index]

    def forget(self, round_index: int, *, spare: Collection[str]) -> None:
        """Delete the shards of a round except some.

        Raises:
            StorageError: The URL cannot be written.
        """
        store = ObjectStore(self.folder(round_index))
        spared = {name for tar in spare for name in (tar, index_path(Path(tar)).name)}
        store.delete(sorted(store.find().keys() - spared))  # an index comes before its tar


@dataclass(frozen=True, kw_only=True)
class StoredShard(SyntheticShard):
    """A shard at a URL; one sample is one range of its tar.

    Attributes:
        tar_path: Where its tar would be, were it stored beside the manifest.
        url: Of the folder of the tar.
        committed_sha256: Hash of its index.
        cache_mb: Bound of the cache.
    """

    url: str
    committed_sha256: str
    cache_mb: int

    @property
    def place(self) -> str:
        """Where the tar is, for people."""
        return f"{self.url}/{self.tar_path.name}"

    @cached_property
    def _hashed_index(self) -> tuple[ShardIndex, str]:
        name = index_path(self.tar_path).name
        content = self._cache.get(self.committed_sha256, lambda: self._found(name, self._store.read(name)))
        found = hashlib.sha256(content).hexdigest()
        if found != self.committed_sha256:
            raise ShardError(
                f"{self.url}/{name}: expected sha256 {self.committed_sha256[:16]}…, found {found[:16]}….",
                remedy=_AGAIN,
            )
        return parse_index(content, f"{self.url}/{name}"), found

    def _span(self, entry: SampleEntry) -> bytes:
        def fetch() -> bytes:
            name = self.tar_path.name
            return self._found(name, self._store.read_range(name, entry.offset, entry.size))

        return self._cache.get(entry.sha256, fetch)

    def _found(self, name: str, content: bytes | None) -> bytes:
        if content is None:
            raise ShardError(f"{self.url}/{name}: expected a part of a round, found none.", remedy=_AGAIN)
        return content

    @property
    def _store(self) -> ObjectStore:
        return _open_store(self.url)

    @property
    def _cache(self) -> ByteCache:
        return _open_cache(cache_folder("twins"), self.cache_mb)


@lru_cache(maxsize=16)
def _open_store(url: str) -> ObjectStore:
    return ObjectStore(url)


os.register_at_fork(after_in_child=_open_store.cache_clear)  # connections are not shared


@lru_cache(maxsize=1)
def _open_cache(folder: Path, cache_mb: int) -> ByteCache:
    return ByteCache(folder, most_bytes=cache_mb * _BYTES_PER_MB)
