"""The manifest of a round, which is one of manifests: none of it grows with the samples in memory.

manifest.json                what the round consists of, in a few hundred bytes and 90 for each part; last
manifest-00000.json …        its shards, a thousand in each part, with the names of their samples
samples.npy, shards.npy      the same for search, see `shared.twins.lookup`
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import numpy as np
from pydantic import Field, StringConstraints, ValidationError

from shared.errors import ShardError
from shared.records import Record
from shared.storage.files import sha256_of, write_durably, written_aside
from shared.twins.lookup import MAX_SHARDS, ROW, SAMPLES, SHARDS, SampleTable
from shared.twins.names import MAX_TWINS, RoundIndex, SampleName, copy_of
from shared.twins.sample import Provenance
from shared.twins.shard_index import ShardIndex, index_path
from shared.twins.versioned_json import read_versioned_json, versioned_json

FORMAT: Final = "meshcycle-round-3"
PART_FORMAT: Final = "meshcycle-round-part-1"
MANIFEST: Final = "manifest.json"
PARTS: Final = "manifest-*.json"
_SHARDS_A_PART: Final = 1000
_SAMPLES_A_PART: Final = 1 << 17

type Sha256 = Annotated[str, StringConstraints(pattern=r"\A[0-9a-f]{64}\z")]
type Count = Annotated[int, Field(ge=0, le=1 << 48)]


class ShardEntry(Record):
    """One shard that a round shows twins of.

    Attributes:
        round_index: Round whose predictions it shows; an earlier round's tar is in that round's directory.
        name: File name of the tar.
        index_sha256: Hash of the index, which holds the hashes of the samples.
        sample_ids: Samples that the round shows, in the order of the tar: all of a shard of its own.
        quarantined: Samples that could not be drawn, and why; empty for a shard of an earlier round.
    """

    round_index: RoundIndex
    name: SampleName
    index_sha256: Sha256
    sample_ids: tuple[SampleName, ...]
    quarantined: dict[SampleName, str]


class PartEntry(Record):
    """One part of the manifest.

    Attributes:
        name: Of its file.
        sha256: Of its content.
    """

    name: SampleName
    sha256: Sha256


class Manifest(Record):
    """What a committed round consists of.

    Attributes:
        format: Always `FORMAT`.
        round_index: Round of the predictions that were drawn.
        provenance: How the first of its own shards was made; those differ in predictions, and at most in
            device. None if it has none.
        parts: Its own shards in order, then those of earlier rounds.
        shown: Number of twins by the round whose predictions they show.
        num_quarantined: Samples that could not be drawn.
        most_twins: Twins of one photograph at most.
        samples_sha256: Hash of the table of samples.
        shards_sha256: Hash of the table of shards.
        store: URL of the shards of this round and of earlier ones, see `shared.twins.stored_shards`; None if
            they are beside the manifest, and in sibling folders.
    """

    format: str
    round_index: RoundIndex
    provenance: Provenance | None
    parts: tuple[PartEntry, ...]
    shown: dict[RoundIndex, Count]
    num_quarantined: Count
    most_twins: Annotated[int, Field(ge=0, le=MAX_TWINS)]
    samples_sha256: Sha256
    shards_sha256: Sha256
    store: str | None = None


class ManifestPart(Record):
    """Some of the shards.

    Attributes:
        format: Always `PART_FORMAT`.
        shards: At most a thousand.
    """

    format: str
    shards: tuple[ShardEntry, ...]


def entry_of(tar_path: Path, index: ShardIndex, *, index_sha256: str | None = None) -> ShardEntry:
    """Return what a manifest says about a shard of its own round.

    Args:
        tar_path: Of the shard.
        index: Its index.
        index_sha256: Of the index's file, which is read otherwise.
    """
    return ShardEntry(
        round_index=index.provenance.round_index,
        name=tar_path.name,
        index_sha256=index_sha256 or sha256_of(index_path(tar_path)),
        sample_ids=tuple(index.samples),
        quarantined=index.quarantined,
    )


def uncommit(directory: Path) -> None:
    """See that a round whose files are about to change does not count as one meanwhile."""
    (directory / MANIFEST).unlink(missing_ok=True)


class ManifestWriter:
    """Writes the manifest of a round while its shards are made, in whatever order they become complete.

    What it holds is eight bytes a sample, a hundred a shard, and the entries of parts that are not complete.

    Args:
        directory: Of the round.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._table = SampleTable()
        self._names: list[str] = []
        self._rows = bytearray()
        self._pending: dict[int, ShardEntry] = {}
        self._part: list[ShardEntry] = []
        self._samples_in_part = 0
        self._parts: list[PartEntry] = []
        self._shown: Counter[int] = Counter()
        self._num_quarantined = 0
        self._most_twins = 0

    def begin(self, name: str, sample_ids: Sequence[str]) -> tuple[int, dict[str, list[str]]]:
        """Announce the next shard, with the samples that it has or refuses.

        Returns:
            Its number, and by sample the shards before that may have it too, because the hashes are equal.

        Raises:
            ShardError: The round has too many shards.
        """
        number = len(self._names)
        if number == MAX_SHARDS:
            raise ShardError(
                f"{self._directory}: expected at most {MAX_SHARDS:,} shards in a round, found more.",
                remedy="Raise render.shard_size.",
            )
        self._names.append(name)
        there = self._table.add(sample_ids, number)
        return number, {sample: [self._names[shard] for shard in shards] for sample, shards in there.items()}

    def finish(self, number: int, entry: ShardEntry) -> None:
        """Note that an announced shard is complete."""
        self._pending[number] = entry
        while (next_entry := self._pending.pop(len(self._rows) // ROW.itemsize, None)) is not None:
            self._append(next_entry)

    def commit(
        self,
        provenance: Provenance | None,
        *,
        round_index: int,
        kept: Iterable[ShardEntry] = (),
        store: str | None = None,
    ) -> Manifest:
        """Write what is left, and the manifest itself at the end.

        Args:
            provenance: How the round was made; None if it has no shards of its own.
            round_index: Round of the predictions that were drawn.
            kept: Shards of earlier rounds, with the twins that the round shows of them.
            store: URL of the shards, if they are not in folders.
        """
        assert not self._pending, "every shard was finished"
        for entry in kept:
            number, _ = self.begin(entry.name, entry.sample_ids)
            self.finish(number, entry)
        uncommit(self._directory)
        if self._part:
            self._write_part()
        self._table.write(self._directory / SAMPLES)
        with written_aside(self._directory / SHARDS) as temporary, temporary.open("wb") as file:
            np.save(file, np.frombuffer(self._rows, ROW))
        manifest = Manifest(
            format=FORMAT,
            round_index=round_index,
            provenance=provenance,
            parts=tuple(self._parts),
            shown=dict(sorted((+self._shown).items())),
            num_quarantined=self._num_quarantined,
            most_twins=self._most_twins,
            samples_sha256=sha256_of(self._directory / SAMPLES),
            shards_sha256=sha256_of(self._directory / SHARDS),
            store=store,
        )
        write_durably(self._directory / MANIFEST, [manifest.model_dump_json(indent=1).encode()])
        named = {part.name for part in self._parts}
        for path in self._directory.glob(PARTS):
            if path.name not in named:
                path.unlink()
        return manifest

    def _append(self, entry: ShardEntry) -> None:
        row = np.zeros((), ROW)
        row["round_index"], row["name"] = entry.round_index, entry.name.encode()
        row["index_sha256"] = np.frombuffer(bytes.fromhex(entry.index_sha256), np.uint8)
        self._rows += row.tobytes()
        self._shown[entry.round_index] += len(entry.sample_ids)
        self._num_quarantined += len(entry.quarantined)
        self._most_twins = max([self._most_twins, *(1 + copy_of(name) for name in entry.sample_ids)])
        self._part.append(entry)
        self._samples_in_part += len(entry.sample_ids)
        if len(self._part) == _SHARDS_A_PART or self._samples_in_part >= _SAMPLES_A_PART:
            self._write_part()

    def _write_part(self) -> None:
        part = ManifestPart(format=PART_FORMAT, shards=tuple(self._part))
        name, content = f"manifest-{len(self._parts):05d}.json", part.model_dump_json(indent=1).encode()
        entry = PartEntry(name=name, sha256=hashlib.sha256(content).hexdigest())
        path = self._directory / name
        if not path.exists() or sha256_of(path) != entry.sha256:  # that of a finished round stays valid
            uncommit(self._directory)
            write_durably(path, [content])
        self._parts.append(entry)
        self._part, self._samples_in_part = [], 0


def read_manifest(directory: Path) -> Manifest:
    """Read what a round consists of.

    Raises:
        ShardError: The round was not committed, or its manifest cannot be read.
    """
    path = directory / MANIFEST
    try:
        return Manifest.model_validate(read_versioned_json(path, expected_format=FORMAT))
    except FileNotFoundError as error:
        raise ShardError(
            f"{directory}: expected a committed round, found no {MANIFEST}.",
            remedy="Render the round again; complete shards are kept.",
        ) from error
    except ValidationError as error:
        raise ShardError(
            f"{path}: expected the manifest of a round, found {error.error_count()} wrong fields.",
            remedy="Delete it and render the round again.",
        ) from error


def read_part(directory: Path, part: PartEntry) -> Iterator[ShardEntry]:
    """Yield the shards of a part of the manifest.

    Raises:
        ShardError: It is missing or damaged.
    """
    path = directory / part.name
    try:
        content = path.read_bytes()
        found = hashlib.sha256(content).hexdigest()
        if found != part.sha256:
            raise ValueError(f"sha256 {found[:16]}… instead of {part.sha256[:16]}…")
        parsed = versioned_json(content, path, expected_format=PART_FORMAT)
        yield from ManifestPart.model_validate(parsed).shards
    except (OSError, ValueError) as error:  # a validation error is one of value
        reason = str(error).splitlines()[0]
        raise ShardError(
            f"{path}: expected a part of the manifest, found {reason}.",
            remedy=f"Delete {MANIFEST} and render the round again; complete shards are kept.",
        ) from error
