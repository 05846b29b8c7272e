"""What synthetic shards hold and how they were made: a table to read, and the same as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.errors import ShardError
from shared.rounds import MANIFEST
from shared.shards import index_path, read_index
from shared.synthetic import Provenance

INSPECTED = ("*.tar", "*.json", "*.jsonl", "*.toml")
"""Files of a run that are needed here."""
HASH_DIGITS = 8
MAX_QUARANTINED = 20
"""Reasons that the text lists; the JSON has all of them."""


@dataclass(frozen=True, slots=True)
class ShardRow:
    """One shard.

    Attributes:
        path: The tar.
        num_samples: Twins in it.
        num_bytes: Size of the tar.
        is_committed: Whether its round has a manifest.
        quarantined: Samples that could not be drawn, and why.
        provenance: How it was made.
    """

    path: Path
    num_samples: int
    num_bytes: int
    is_committed: bool
    quarantined: dict[str, str]
    provenance: Provenance


@dataclass(frozen=True, slots=True)
class Inspection:
    """Some shards, in the order of their paths.

    Attributes:
        rows: The shards that are whole.
        unfinished: Tars without an index, which a renderer is writing or was killed over.
    """

    rows: tuple[ShardRow, ...]
    unfinished: tuple[Path, ...]

    def to_text(self) -> str:
        """Return the table, the sum below it, and what is wrong below that."""
        table = [_HEADER, *(_cells(row) for row in self.rows), self._sum()]
        widths = [max(len(row[column]) for row in table) for column in range(len(_HEADER))]
        lines = ["  ".join(_aligned(row, widths)).rstrip() for row in table]
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
                    "path": str(row.path),
                    "samples": row.num_samples,
                    "bytes": row.num_bytes,
                    "committed": row.is_committed,
                    "quarantined": row.quarantined,
                    "provenance": row.provenance.model_dump(),
                }
                for row in self.rows
            ],
            "unfinished": [str(path) for path in self.unfinished],
        }

    def _sum(self) -> tuple[str, ...]:
        samples = sum(row.num_samples for row in self.rows)
        quarantined = sum(len(row.quarantined) for row in self.rows)
        num_bytes = sum(row.num_bytes for row in self.rows)
        cells = ("total", "", str(samples), str(quarantined), _megabytes(num_bytes))
        return cells + ("",) * (len(_HEADER) - len(cells))


def inspect_shards(paths: Sequence[Path]) -> Inspection:
    """Look at shards, at rounds of shards, or at runs.

    Args:
        paths: Tars, or folders that hold tars at any depth.

    Raises:
        ShardError: There are none, or one is damaged or of another version.
    """
    tars = [tar for path in paths for tar in find_tars(path)]
    whole = [tar for tar in tars if index_path(tar).exists()]
    return Inspection(
        rows=tuple(_row(tar) for tar in whole),
        unfinished=tuple(tar for tar in tars if tar not in set(whole)),
    )


def find_tars(path: Path) -> list[Path]:
    """Return a tar itself, or all tars below a folder in order.

    Raises:
        ShardError: There are none.
    """
    if path.is_file() and path.suffix == ".tar":
        read_index(path)  # named alone, a tar has to be whole
        return [path]
    tars = sorted(path.rglob("*.tar")) if path.is_dir() else []
    if not tars:
        found = "none in it" if path.is_dir() else "another file" if path.exists() else "nothing there"
        raise ShardError(
            f"{path}: expected a synthetic shard (.tar), or a folder or run with some, found {found}. "
            "Render first, with meshcycle train or meshcycle render."
        )
    return tars


def _row(tar: Path) -> ShardRow:
    index = read_index(tar)
    return ShardRow(
        path=tar,
        num_samples=len(index.samples),
        num_bytes=index.tar_bytes,
        is_committed=(tar.parent / MANIFEST).exists(),
        quarantined=index.quarantined,
        provenance=index.provenance,
    )


_HEADER = (
    "shard",
    "round",
    "samples",
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
        str(made.round_index),
        str(row.num_samples),
        str(len(row.quarantined)),
        _megabytes(row.num_bytes),
        f"{made.engine} {made.samples} spp on {made.device}, Blender {made.bpy_version}",
        made.checkpoint_sha256[:HASH_DIGITS],
        made.backgrounds_fingerprint[:HASH_DIGITS],
        str(made.run_seed),
        "committed" if row.is_committed else "not committed",
    )


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        cell.ljust(width) if name in _LEFT_ALIGNED else cell.rjust(width)
        for name, cell, width in zip(_HEADER, row, widths, strict=True)
    ]


def _megabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:.1f} MB"
