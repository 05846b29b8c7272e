"""Synthetic rounds: a directory of shards that counts as a whole once its manifest is there.

    round-0003/shard-00000.tar   the twins that were drawn for this round, with their index beside them
    round-0003/manifest.json     written last: these shards, and the twins kept from earlier rounds

A round shows some twins of every photograph, mostly one. Where one was not drawn again, the manifest refers
to the shard of the earlier round that holds it, in a sibling directory; `forget_rounds` leaves such shards
alone.
"""

import hashlib
import re
import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Self

from pydantic import StringConstraints, ValidationError

from shared.errors import ShardError
from shared.records import Record
from shared.storage.files import write_durably
from shared.storage.own_way import require_own_way
from shared.twins.names import RoundIndex, SampleName, photograph_of
from shared.twins.sample import Provenance, SyntheticSample
from shared.twins.shards import SyntheticShard, index_path, read_index, read_versioned_json

FORMAT = "meshcycle-round-2"
MANIFEST = "manifest.json"
_MARK = ".meshcycle-round"
"""Lies in the folder of a round that was begun where a person said."""

_NAME = re.compile(r"round-(\d{4,})")


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
    index_sha256: Annotated[str, StringConstraints(pattern=r"\A[0-9a-f]{64}\z")]
    sample_ids: tuple[SampleName, ...]
    quarantined: dict[SampleName, str]


class Manifest(Record):
    """What a committed round consists of.

    Attributes:
        format: Always `FORMAT`.
        round_index: Round of the predictions that were drawn.
        provenance: How the first of its own shards was made; those differ in predictions, and at most in
            device. None if it has none.
        shards: Its own shards in order, then those of earlier rounds.
    """

    format: str
    round_index: RoundIndex
    provenance: Provenance | None
    shards: tuple[ShardEntry, ...]


def round_name(round_index: int) -> str:
    """Return the name of a round's directory among those of its run."""
    return f"round-{round_index:04d}"


def claim_folder(directory: Path) -> None:
    """Make sure that a folder that a person chose holds nothing that a round would replace, but a round.

    Raises:
        ShardError: It holds somebody's files; nothing was changed.
        StorageError: A link of somebody else's leads there, or away from there.
    """
    require_own_way(directory, depth=1)
    if (directory / _MARK).exists():
        return
    if not directory.is_dir():
        directory.mkdir(parents=True)
    for path in sorted((*directory.glob("*.tar"), *directory.glob("*.json"))):
        if not path.name.startswith(".") and not _is_of_a_round(path):
            raise ShardError(
                f"{path}: expected a free folder, or one with a round of twins, found somebody's file.",
                remedy="Give another --out; nothing was changed.",
            )
    (directory / _MARK).touch()


def _is_of_a_round(path: Path) -> bool:
    try:
        if path.name == MANIFEST:
            SyntheticRound.open(path.parent)
        else:
            read_index(path.with_name(path.name.split(".")[0] + ".tar"))
    except ShardError:
        return False
    return True


def commit_round(
    directory: Path, tar_names: Sequence[str], *, round_index: int, kept: Sequence[ShardEntry] = ()
) -> "SyntheticRound":
    """Declare the named shards, and twins that are kept from earlier rounds, to be the round.

    Args:
        directory: Of the round.
        tar_names: Its own shards, in order.
        round_index: Round of the predictions that were drawn.
        kept: What `SyntheticRound.entries_of` says about the twins that were not drawn again.

    Raises:
        ShardError: A shard is not complete.
    """
    entries: list[ShardEntry] = []
    provenance: Provenance | None = None
    for name in tar_names:
        index = SyntheticShard(directory / name).index
        provenance = provenance or index.provenance
        entries.append(
            ShardEntry(
                round_index=round_index,
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
        shards=(*entries, *kept),
    )
    twins = SyntheticRound(directory, manifest)
    if missing := twins.missing_shards():
        raise ShardError(
            f"{missing[0]}: expected a shard that twins are kept from, found no complete one.",
            remedy="Render again.",
        )
    write_durably(directory / MANIFEST, [manifest.model_dump_json(indent=1).encode()])
    return twins


def forget_rounds(parent: Path, *, before: int) -> None:
    """Delete all rounds before one, except the shards that it or a later round still refers to.

    A round loses its manifest first, so that whatever is left of it no longer counts as a round.

    Args:
        parent: Holds the directories of the rounds.
        before: The first round that stays.

    Raises:
        ShardError: A manifest cannot be read; nothing was deleted.
    """
    rounds = {
        int(match[1]): path
        for path in (sorted(parent.iterdir()) if parent.is_dir() else ())
        if (match := _NAME.fullmatch(path.name))
    }
    shown = shards_shown(directory for index, directory in rounds.items() if index >= before)
    for index, directory in rounds.items():
        if index < before:
            _forget_round(directory, spare=[path.name for path in shown if path.parent == directory])


def shards_shown(directories: Iterable[Path]) -> set[Path]:
    """Return the tars of all those rounds among the directories that are committed.

    Raises:
        ShardError: A manifest cannot be read.
    """
    rounds = [SyntheticRound.open(path) for path in directories if (path / MANIFEST).exists()]
    return {twins.tar_path(entry) for twins in rounds for entry in twins.manifest.shards}


def _forget_round(directory: Path, *, spare: Collection[str]) -> None:
    (directory / MANIFEST).unlink(missing_ok=True)
    if not spare:
        shutil.rmtree(directory)
        return
    spared = {path for name in spare for path in (directory / name, index_path(directory / name))}
    for path in sorted(directory.iterdir()):  # an index comes before its tar
        if path not in spared:
            path.unlink()


@dataclass(frozen=True)
class SyntheticRound:
    """Random access to a committed round by sample id; can be pickled and forked.

    Attributes:
        directory: Folder of the shards.
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
                f"{directory}: expected a committed round, found no {MANIFEST}.",
                remedy="Render the round again; complete shards are kept.",
            ) from error
        except ValidationError as error:
            raise ShardError(
                f"{path}: expected the manifest of a round, found {error.error_count()} wrong fields.",
                remedy="Delete it and render the round again.",
            ) from error

    @cached_property
    def _shards(self) -> dict[Path, SyntheticShard]:
        """Shards by path; each keeps its index once that was read."""
        return {path: SyntheticShard(path) for path in map(self.tar_path, self.manifest.shards)}

    @cached_property
    def _shard_of(self) -> dict[str, ShardEntry]:
        return {sample_id: entry for entry in self.manifest.shards for sample_id in entry.sample_ids}

    @cached_property
    def _twins_of(self) -> dict[str, tuple[str, ...]]:
        names: dict[str, tuple[str, ...]] = {}
        for name in self._shard_of:
            photograph = photograph_of(name)
            names[photograph] = (*names.get(photograph, ()), name)
        return names

    def twins_of(self, photograph: str) -> tuple[str, ...]:
        """Return the names of the twins that a photograph has, in order."""
        return self._twins_of.get(photograph, ())

    def tar_path(self, entry: ShardEntry) -> Path:
        """Return the path of a shard of the round."""
        own = entry.round_index == self.manifest.round_index
        return (self.directory if own else self.directory.parent / round_name(entry.round_index)) / entry.name

    def missing_shards(self) -> list[Path]:
        """Return the shards that are gone or incomplete; their contents are not looked at."""
        paths = map(self.tar_path, self.manifest.shards)
        return [path for path in paths if not (path.exists() and index_path(path).exists())]

    def round_of(self, sample_id: str) -> int:
        """Return the round whose prediction a sample's twin shows."""
        return self._shard_of[sample_id].round_index

    def count_by_round(self) -> Counter[int]:
        """Count the twins by the round whose predictions they show."""
        counts: Counter[int] = Counter()
        for entry in self.manifest.shards:
            counts[entry.round_index] += len(entry.sample_ids)
        return +counts

    def entries_of(self, sample_ids: Collection[str]) -> tuple[ShardEntry, ...]:
        """Return what the manifest of a later round says in order to keep the twins of these samples."""
        narrowed = [
            entry.model_copy(
                update={
                    "sample_ids": tuple(name for name in entry.sample_ids if name in sample_ids),
                    "quarantined": {},
                }
            )
            for entry in self.manifest.shards
        ]
        return tuple(entry for entry in narrowed if entry.sample_ids)

    @property
    def sample_ids(self) -> tuple[str, ...]:
        """All samples that have a twin, in order."""
        return tuple(self._shard_of)

    @property
    def provenance(self) -> Provenance | None:
        """How the round was made; None for a round without shards of its own."""
        return self.manifest.provenance

    @property
    def quarantined(self) -> dict[str, str]:
        """Samples that could not be drawn for this round, and why."""
        return {name: why for entry in self.manifest.shards for name, why in entry.quarantined.items()}

    def __len__(self) -> int:
        return len(self._shard_of)

    def __contains__(self, sample_id: object) -> bool:
        return sample_id in self._shard_of

    def read(self, sample_id: str) -> SyntheticSample:
        """Return one sample, verified against the checksums of its shard.

        Raises:
            ShardError: The round has no such sample, or what is stored is not what was committed.
        """
        entry = self._shard_of.get(sample_id)
        if entry is None:
            raise ShardError(f"{self.directory}: expected sample {sample_id} in the round, found none.")
        shard = self._shards[self.tar_path(entry)]
        if "index" not in vars(shard):
            _check_index(shard, entry)
        return shard.read(sample_id)


def _check_index(shard: SyntheticShard, entry: ShardEntry) -> None:
    """Refuse an index that changed after the round was committed."""
    samples = shard.index.samples  # first, because its own errors are clearer than a checksum
    found = hashlib.sha256(index_path(shard.tar_path).read_bytes()).hexdigest()
    if found != entry.index_sha256 or not samples.keys() >= set(entry.sample_ids):
        raise ShardError(
            (
                f"{index_path(shard.tar_path)}: expected sha256 {entry.index_sha256[:16]}…, "
                f"found {found[:16]}…."
            ),
            remedy=f"Delete {MANIFEST} and render the round again.",
        )
