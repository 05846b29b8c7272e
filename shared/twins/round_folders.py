"""The folders of rounds beside each other: what may be begun there, what is referred to, what is deleted."""

import re
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Final

from shared.errors import ShardError
from shared.storage.own_way import require_own_way
from shared.twins.lookup import SAMPLES, SHARDS
from shared.twins.manifest import MANIFEST, PARTS, ShardEntry, uncommit
from shared.twins.names import round_name
from shared.twins.rounds import SyntheticRound
from shared.twins.shard_index import index_path, is_there, read_index
from shared.twins.stored_shards import RoundStore

_MARK: Final = ".meshcycle-round"
"""Lies in the folder of a round that was begun where a person said."""
_NAME: Final = re.compile(r"round-(\d{4,})")


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
    patterns = ("*.tar", "*.json", SAMPLES, SHARDS)
    for path in sorted(path for pattern in patterns for path in directory.glob(pattern)):
        if not path.name.startswith(".") and not _is_of_a_round(path):
            raise ShardError(
                f"{path}: expected a free folder, or one with a round of twins, found somebody's file.",
                remedy="Give another --out; nothing was changed.",
            )
    (directory / _MARK).touch()


def _is_of_a_round(path: Path) -> bool:
    try:
        if path.match(PARTS) or path.name in (MANIFEST, SAMPLES, SHARDS):
            SyntheticRound.open(path.parent)
        else:
            read_index(path.with_name(path.name.split(".")[0] + ".tar"))
    except ShardError:
        return False
    return True


def require_shards(directory: Path, entries: Iterable[ShardEntry], *, store: str | None = None) -> None:
    """Make sure that shards of earlier rounds, which a round keeps twins of, are there.

    Args:
        directory: Of the round.
        entries: Those shards.
        store: URL of the shards, if they are not in folders.

    Raises:
        ShardError: One is gone, or incomplete.
        StorageError: The URL cannot be read.
    """
    stored = None if store is None else RoundStore(store)
    for entry in entries:
        path = directory.parent / round_name(entry.round_index) / entry.name
        is_whole = stored.has_whole(entry.round_index, entry.name) if stored else is_there(path)
        if not is_whole:
            raise ShardError(
                f"{path}: expected a shard that twins are kept from, found no complete one.",
                remedy="Render again.",
            )


def forget_rounds(parent: Path, *, before: int, store: str | None = None) -> None:
    """Delete all rounds before one, except the shards that it or a later round still refers to.

    A round loses its manifest first, so that whatever is left of it no longer counts as a round.

    Args:
        parent: Holds the directories of the rounds.
        before: The first round that stays.
        store: URL of the shards, if they are not in those directories.

    Raises:
        ShardError: A manifest cannot be read; nothing was deleted.
        StorageError: The URL cannot be written; repeating the call deletes the rest.
    """
    rounds = {
        int(match[1]): path
        for path in (sorted(parent.iterdir()) if parent.is_dir() else ())
        if (match := _NAME.fullmatch(path.name))
    }
    shown = shards_shown(directory for index, directory in rounds.items() if index >= before)
    for index, directory in rounds.items():
        if index < before:
            spare = [path.name for path in shown if path.parent == directory]
            uncommit(directory)
            if store is not None:
                RoundStore(store).forget(index, spare=spare)
            _forget_round(directory, spare=spare)


def shards_shown(directories: Iterable[Path]) -> set[Path]:
    """Return the tars of all those rounds among the directories that are committed, as `tar_path` has them.

    Raises:
        ShardError: A manifest cannot be read.
    """
    rounds = [SyntheticRound.open(path) for path in directories if (path / MANIFEST).exists()]
    return {path for twins in rounds for path in twins.tar_paths()}


def _forget_round(directory: Path, *, spare: Collection[str]) -> None:
    if not spare:
        shutil.rmtree(directory)
        return
    spared = {path for name in spare for path in (directory / name, index_path(directory / name))}
    for path in sorted(directory.iterdir()):  # an index comes before its tar
        if path not in spared:
            path.unlink()
