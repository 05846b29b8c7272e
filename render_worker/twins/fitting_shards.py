"""Which prediction shards can be drawn together: those of one round and one hand model, each twin once."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from shared.errors import ShardError
from shared.twins.names import photograph_of
from shared.twins.predictions import PredictionHead, read_head

_REMEDY: Final = "Give the predictions of one round and one hand model."


class FittingShards:
    """Looks at one shard after the other.

    Args:
        num_verts: Of the meshes of the hand model.
    """

    def __init__(self, num_verts: int) -> None:
        self._num_verts = num_verts
        self._round_index: int | None = None

    def require(self, path: Path, head: PredictionHead) -> None:
        """Make sure that a shard can be drawn together with those before it.

        Raises:
            ShardError: It is of another hand model, or another round.
        """
        found = None
        if head.num_verts != self._num_verts:
            expected = f"meshes of the hand model's {self._num_verts} vertices"
            found = f"{head.num_verts}"
        elif self._round_index is not None and self._round_index != head.round_index:
            expected = f"predictions of round {self._round_index + 1}, as in the shards before"
            found = f"those of round {head.round_index + 1}"
        if found is not None:
            raise ShardError(f"{path}: expected {expected}, found {found}.", remedy=_REMEDY)
        self._round_index = head.round_index


def require_new(path: Path, named_alike: Mapping[str, Sequence[str]]) -> None:
    """Make sure that no twin of a shard is in a shard before it, too.

    Args:
        path: Of the prediction shard.
        named_alike: Twins that may be, and the shards in which they may be, as `ManifestWriter.begin` says.

    Raises:
        ShardError: One is.
    """
    again = [
        name
        for name, shards in named_alike.items()
        if any(
            photograph_of(name) in read_head((path.parent / shard).with_suffix(path.suffix)).sample_ids
            for shard in shards
        )
    ]
    if again:
        raise ShardError(
            f"{path}: expected every sample once, found {min(again)} in a shard before, too.", remedy=_REMEDY
        )
