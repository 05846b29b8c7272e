"""Synthetic rounds: a directory of shards that counts as a whole once its manifest is there."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

from pydantic import ValidationError

from shared.errors import ShardError
from shared.files import write_durably
from shared.shards import SyntheticShard, index_path, read_versioned_json
from shared.synthetic import Provenance, Record, SyntheticSample

FORMAT = "meshcycle-round-1"
MANIFEST = "manifest.json"


class ShardEntry(Record):
    """One shard of a round.

    Attributes:
        name: File name of the tar.
        index_sha256: Hash of the index, which holds the hashes of the samples.
        sample_ids: Samples in the order of the tar.
        quarantined: Samples that could not be drawn, and why.
    """

    name: str
    index_sha256: str
    sample_ids: tuple[str, ...]
    quarantined: dict[str, str]


class Manifest(Record):
    """What a committed round consists of.

    Attributes:
        format: Always `FORMAT`.
        round_index: Round of the predictions that were drawn.
        provenance: How the first shard was made; the others differ in predictions, and at most in device.
        shards: All shards, in order.
    """

    format: str
    round_index: int
    provenance: Provenance | None
    shards: tuple[ShardEntry, ...]


def commit_round(directory: Path, tar_names: Sequence[str], *, round_index: int) -> "SyntheticRound":
    """Declare the named shards to be the round, in this order.

    Raises:
        ShardError: One of them is not whole.
    """
    entries: list[ShardEntry] = []
    provenance: Provenance | None = None
    for name in tar_names:
        index = SyntheticShard(directory / name).index
        provenance = provenance or index.provenance
        entries.append(
            ShardEntry(
                name=name,
                index_sha256=hashlib.sha256(index_path(directory / name).read_bytes()).hexdigest(),
                sample_ids=tuple(index.samples),
                quarantined=index.quarantined,
            )
        )
    manifest = Manifest(
        format=FORMAT,
        round_index=round_index,
        provenance=provenance,
        shards=tuple(entries),
    )
    write_durably(directory / MANIFEST, [manifest.model_dump_json(indent=1).encode()])
    return SyntheticRound(directory, manifest)


@dataclass(frozen=True)
class SyntheticRound:
    """Random access to a committed round by sample id; can be pickled and forked.

    Attributes:
        directory: Where the shards lie.
        manifest: What the round consists of.
    """

    directory: Path
    manifest: Manifest

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Open a round; the shards themselves are looked at when a sample is read.

        Raises:
            ShardError: The round was not committed, or its manifest cannot be read.
        """
        path = directory / MANIFEST
        try:
            return cls(directory, Manifest.model_validate(read_versioned_json(path, expected_format=FORMAT)))
        except FileNotFoundError as error:
            raise ShardError(
                f"{directory}: expected a committed round, found no {MANIFEST}. "
                "Render the round again; shards that are whole are kept."
            ) from error
        except ValidationError as error:
            raise ShardError(
                f"{path}: expected the manifest of a round, found {error.error_count()} wrong fields. "
                "Delete it and render the round again."
            ) from error

    @cached_property
    def _shards(self) -> dict[str, SyntheticShard]:
        """Shards by file name; each keeps its index once that was read."""
        return {entry.name: SyntheticShard(self.directory / entry.name) for entry in self.manifest.shards}

    @cached_property
    def _shard_of(self) -> dict[str, ShardEntry]:
        return {sample_id: entry for entry in self.manifest.shards for sample_id in entry.sample_ids}

    @property
    def sample_ids(self) -> tuple[str, ...]:
        """All samples that were drawn, in order."""
        return tuple(self._shard_of)

    @property
    def provenance(self) -> Provenance | None:
        """How the round was made; None for a round without shards."""
        return self.manifest.provenance

    @property
    def quarantined(self) -> dict[str, str]:
        """Samples that could not be drawn, and why."""
        return {name: why for entry in self.manifest.shards for name, why in entry.quarantined.items()}

    def __len__(self) -> int:
        return len(self._shard_of)

    def __contains__(self, sample_id: object) -> bool:
        return sample_id in self._shard_of

    def read(self, sample_id: str) -> SyntheticSample:
        """Return one sample, verified against the checksums of its shard.

        Raises:
            ShardError: The round has no such sample, or what lies on the disk is not what was committed.
        """
        entry = self._shard_of.get(sample_id)
        if entry is None:
            raise ShardError(f"{self.directory}: expected sample {sample_id} in the round, found none.")
        shard = self._shards[entry.name]
        if "index" not in vars(shard):
            _check_index(shard, entry)
        return shard.read(sample_id)


def _check_index(shard: SyntheticShard, entry: ShardEntry) -> None:
    """Refuse an index that changed after the round was committed."""
    samples = shard.index.samples  # first, because its own errors are clearer than a checksum
    found = hashlib.sha256(index_path(shard.tar_path).read_bytes()).hexdigest()
    if found != entry.index_sha256 or tuple(samples) != entry.sample_ids:
        raise ShardError(
            f"{index_path(shard.tar_path)}: expected sha256 {entry.index_sha256[:16]}…, found {found[:16]}…. "
            f"Delete {MANIFEST} and render the round again."
        )
