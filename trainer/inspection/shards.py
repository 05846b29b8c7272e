"""What synthetic shards and rounds hold and how they were made: a table to read, and the same as JSON."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import ShardError
from shared.text_table import text_table
from shared.twins.manifest import MANIFEST
from shared.twins.rounds import SyntheticRound
from shared.twins.sample import Provenance
from shared.twins.shard_index import index_path, is_there, read_index
from shared.twins.shards import SyntheticShard
from shared.twins.stored_shards import StoredShard
from trainer.config.run import load_config
from trainer.run.folder import RunFolder, run_of
from trainer.run.stored_config import CONFIG

INSPECTED = ("*.tar", "*.json", "*.npy", "*.jsonl", "*.toml")
"""Files of a run that are needed here."""
HASH_DIGITS = 8
MAX_QUARANTINED = 20
"""Reasons that the text lists; the JSON has all of them."""


@dataclass(frozen=True, slots=True)
class ShardRow:
    """One shard.

    Attributes:
        shard: The shard.
        num_samples: Twins in it.
        num_bytes: Size of the tar.
        is_committed: Whether its round has a manifest.
        num_shown: Twins in it that the latest committed round beside it shows; None if there is none.
        quarantined: Samples that could not be drawn, and why.
        provenance: How it was made.
    """

    shard: SyntheticShard
    num_samples: int
    num_bytes: int
    is_committed: bool
    num_shown: int | None
    quarantined: dict[str, str]
    provenance: Provenance

    @property
    def path(self) -> Path:
        """The tar; where it would be, if it is at a URL."""
        return self.shard.tar_path


@dataclass(frozen=True, slots=True)
class RoundRow:
    """One committed round.

    Attributes:
        twins: The round.
        lag_rounds: Of the run that it belongs to: 1 if renders overlap with training.
    """

    twins: SyntheticRound
    lag_rounds: int

    @property
    def num_drawn(self) -> int:
        """Twins that were drawn for this round; the others are kept from earlier ones."""
        return self.twins.count_by_round()[self.twins.manifest.round_index]

    @property
    def staleness(self) -> dict[int, int]:
        """Twins by their staleness in the first round that trains with them."""
        counts = self.twins.count_by_round()
        newest = self.twins.manifest.round_index + self.lag_rounds
        return {newest - drawn: counts[drawn] for drawn in sorted(counts, reverse=True)}

    def to_text(self) -> str:
        """Return a line to read."""
        twins = self.twins
        ages = ", ".join(f"{count} x {age}" for age, count in self.staleness.items())
        return (
            f"round {twins.manifest.round_index + 1}: {self.num_drawn} twins drawn, "
            f"{len(twins) - self.num_drawn} kept, "
            f"{twins.manifest.num_quarantined} quarantined; staleness in rounds: {ages or 'none'}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return everything, ready for `json.dumps`."""
        return {
            "path": str(self.twins.directory),
            "round": self.twins.manifest.round_index,
            "drawn": self.num_drawn,
            "kept": len(self.twins) - self.num_drawn,
            "quarantined": self.twins.manifest.num_quarantined,
            "staleness": self.staleness,
        }


@dataclass(frozen=True, slots=True)
class Inspection:
    """Some shards, in the order of their paths.

    Attributes:
        rows: The complete shards.
        rounds: The committed rounds that they belong to.
        unfinished: Tars without an index, which a renderer is writing or was killed over.
        lists_shards: Whether people want to read about every shard.
    """

    rows: tuple[ShardRow, ...]
    rounds: tuple[RoundRow, ...]
    unfinished: tuple[Path, ...]
    lists_shards: bool = False

    def to_text(self) -> str:
        """Return the rounds and their sum, shard by shard if that is wanted, and what is wrong below that."""
        lines = []
        if self.lists_shards or not self.rounds:
            table = [_HEADER, *(_cells(row) for row in self.rows), self._sum()]
            lines = text_table(table, left={_HEADER.index(name) for name in _LEFT_ALIGNED})
        lines += [row.to_text() for row in self.rounds]
        if self.rounds and not self.lists_shards:
            num_bytes = sum(row.num_bytes for row in self.rows)
            lines.append(f"{len(self.rows)} shards, {_megabytes(num_bytes)}; --shards lists them")
        lines += [f"unfinished: {path} has no {index_path(path).name}" for path in self.unfinished]
        reasons = [
            f"quarantined: {name} of {row.path.name}: {why}"
            for row in self.rows
            for name, why in row.quarantined.items()
        ]
        lines += reasons[:MAX_QUARANTINED]
        if len(reasons) > MAX_QUARANTINED:
            lines.append(f"quarantined: and {len(reasons) - MAX_QUARANTINED} more")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Return everything, ready for `json.dumps`."""
        return {
            "shards": [
                {
                    "path": row.shard.place,
                    "samples": row.num_samples,
                    "bytes": row.num_bytes,
                    "committed": row.is_committed,
                    "shown": row.num_shown,
                    "quarantined": row.quarantined,
                    "provenance": row.provenance.model_dump(),
                }
                for row in self.rows
            ],
            "rounds": [row.to_json() for row in self.rounds],
            "unfinished": [str(path) for path in self.unfinished],
        }

    def latest_round(self, tar: Path) -> RoundRow | None:
        """Return the latest committed round beside the one of a shard."""
        beside = (row for row in self.rounds if row.twins.directory.parent == tar.parent.parent)
        return max(beside, key=lambda row: row.twins.manifest.round_index, default=None)

    def _sum(self) -> tuple[str, ...]:
        samples = sum(row.num_samples for row in self.rows)
        quarantined = sum(len(row.quarantined) for row in self.rows)
        num_bytes = sum(row.num_bytes for row in self.rows)
        shown = sum(row.num_shown or 0 for row in self.rows)
        cells = ("total", "", str(samples), str(shown), str(quarantined), _megabytes(num_bytes))
        return cells + ("",) * (len(_HEADER) - len(cells))


def inspect_shards(
    paths: Sequence[Path], *, baselines: bool = False, lists_shards: bool = False
) -> Inspection:
    """Look at shards, at rounds of shards, or at runs.

    Args:
        paths: Tars, or folders that hold tars at any depth.
        baselines: Runs that have trained without twins may be among them.
        lists_shards: Tell people about every shard.

    Raises:
        ShardError: There are none, or one is damaged or of another version.
    """
    with_twins = [path for path in paths if not (baselines and _is_baseline(path))]
    shards = [shard for path in with_twins for shard in find_shards(path)]
    whole = [shard for shard in shards if isinstance(shard, StoredShard) or is_there(shard.tar_path)]
    rounds = _rounds(paths, [shard.tar_path for shard in shards])
    complete = {shard.tar_path for shard in whole}
    shown: dict[Path, int] = {}
    for directory in {row.twins.directory.parent for row in rounds}:
        latest = max(
            (row.twins for row in rounds if row.twins.directory.parent == directory),
            key=lambda twins: twins.manifest.round_index,
        )
        tars = (shard.tar_path for shard in whole)
        shown |= dict.fromkeys((tar for tar in tars if tar.parent.parent == directory), 0)
        shown |= {latest.tar_path(entry): len(entry.sample_ids) for entry in latest.entries()}
    return Inspection(
        rows=tuple(_row(shard, shown.get(shard.tar_path)) for shard in whole),
        rounds=rounds,
        unfinished=tuple(shard.tar_path for shard in shards if shard.tar_path not in complete),
        lists_shards=lists_shards,
    )


def _is_baseline(run: Path) -> bool:
    return RunFolder(run).metrics.exists() and next(run.rglob("*.tar"), None) is None


def find_shards(path: Path) -> list[SyntheticShard]:
    """Return a shard itself, or all those below a folder in order, and those that its rounds have at a URL.

    Raises:
        ShardError: There are none.
    """
    if path.is_file() and path.suffix == ".tar":
        read_index(path)  # named alone, a tar has to be complete
        return [SyntheticShard(path)]
    shards = [SyntheticShard(tar) for tar in sorted(path.rglob("*.tar"))] if path.is_dir() else []
    shards += _stored_shards(path)
    if not shards:
        found = "none in it" if path.is_dir() else "another file" if path.exists() else "nothing there"
        raise ShardError(
            f"{path}: expected a synthetic shard (.tar), or a folder or run with some, found {found}.",
            remedy="Render first, with meshcycle train or meshcycle render.",
        )
    return shards


def _stored_shards(path: Path) -> list[SyntheticShard]:
    rounds = [SyntheticRound.open(manifest.parent) for manifest in path.rglob(MANIFEST)]
    stored = {shard.tar_path: shard for twins in rounds if twins.manifest.store for shard in twins.shards()}
    return [stored[tar] for tar in sorted(stored)]


def _rounds(paths: Sequence[Path], tars: Iterable[Path]) -> tuple[RoundRow, ...]:
    """Open the rounds of some shards, and those among the paths that have no shard of their own."""
    directories = {tar.parent for tar in tars if (tar.parent / MANIFEST).exists()}
    directories |= {manifest.parent for path in paths for manifest in path.rglob(MANIFEST)}
    return tuple(
        RoundRow(SyntheticRound.open(directory), _lag_rounds(directory)) for directory in sorted(directories)
    )


def _lag_rounds(round_dir: Path) -> int:
    run = run_of(round_dir / MANIFEST)
    recycle = load_config(run / CONFIG).recycle if run else None
    return recycle.lag_rounds if recycle else 0


def _row(shard: SyntheticShard, num_shown: int | None) -> ShardRow:
    index = shard.index
    return ShardRow(
        shard=shard,
        num_samples=len(index.samples),
        num_bytes=index.tar_bytes,
        is_committed=(shard.tar_path.parent / MANIFEST).exists(),
        num_shown=num_shown,
        quarantined=index.quarantined,
        provenance=index.provenance,
    )


_HEADER = (
    "shard",
    "round",
    "samples",
    "shown",
    "quarantined",
    "size",
    "drawn with",
    "checkpoint",
    "backgrounds",
    "seed",
    "state",
)
_LEFT_ALIGNED = frozenset({"shard", "drawn with", "checkpoint", "backgrounds", "state"})


def _cells(row: ShardRow) -> tuple[str, ...]:
    made = row.provenance
    return (
        f"{row.path.parent.name}/{row.path.name}",
        str(made.round_index + 1),
        str(row.num_samples),
        "" if row.num_shown is None else str(row.num_shown),
        str(len(row.quarantined)),
        _megabytes(row.num_bytes),
        f"{made.engine} {made.samples} spp on {made.device}, Blender {made.bpy_version}",
        made.checkpoint_sha256[:HASH_DIGITS],
        made.backgrounds_fingerprint[:HASH_DIGITS],
        str(made.run_seed),
        "committed" if row.is_committed else "kept" if row.num_shown else "not committed",
    )


def _megabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:.1f} MB"
