"""The files of one synthetic shard, as whoever writes them sees them: the driver of a round, or a worker."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from render_worker.requests import FailedRequest
from shared.errors import ShardError
from shared.storage.files import DISK_IS_FULL
from shared.twins.manifest import ShardEntry, entry_of
from shared.twins.sample import Provenance
from shared.twins.shards import PackedSample, ShardIndex, SyntheticShard, read_index, write_shard

logger = logging.getLogger(__name__)


def intact_index(tar_path: Path, names: Sequence[str], provenance: Provenance) -> ShardIndex | None:
    """Return the index of a shard that an earlier attempt left behind, every byte of it unchanged; else None.

    Args:
        tar_path: Of the shard.
        names: Samples that it would have, drawn or refused, in order.
        provenance: How it would be made.
    """
    try:
        index = read_index(tar_path)
    except ShardError:
        return None
    drawn = tuple(name for name in names if name not in index.quarantined)
    # On a cluster, the worker that was asked for its device may live on another machine this time.
    found = index.provenance.model_copy(update={"device": provenance.device})
    if found != provenance or tuple(index.samples) != drawn:
        return None
    if not SyntheticShard(tar_path).is_intact():
        logger.warning("%s has changed on the disk since it was written; rendering it again.", tar_path)
        return None
    return index


@contextmanager
def naming_write_errors(tar_path: Path) -> Iterator[None]:
    """Say which shard could not be written, why, and what to do.

    Raises:
        ShardError: It cannot be written, for example because the disk is full.
    """
    try:
        yield
    except OSError as error:
        remedy = "Make room" if error.errno in DISK_IS_FULL else "See that it can be written there"
        raise ShardError(
            f"{tar_path}: expected to write a shard, found: {error.strerror or error}.",
            remedy=f"{remedy}, then repeat the command; complete shards are kept.",
        ) from error


@dataclass(eq=False, kw_only=True)
class OpenShard:
    """A synthetic shard that waits for its pictures.

    Attributes:
        tar_path: Where it will be stored.
        provenance: How it is made.
        names: Its samples, in order.
        number: Of the shard in its round.
        answers: Pictures and refusals so far, by name.
    """

    tar_path: Path
    provenance: Provenance
    names: tuple[str, ...]
    number: int
    answers: dict[str, PackedSample | FailedRequest] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether every sample was rendered or refused."""
        return len(self.answers) == len(self.names)

    def write(self) -> ShardEntry:
        """Write the shard, and return what the manifest says about it.

        Raises:
            ShardError: It cannot be written, for example because the disk is full.
        """
        in_order = [self.answers[name] for name in self.names]
        with naming_write_errors(self.tar_path):
            index = write_shard(
                self.tar_path,
                [answer for answer in in_order if isinstance(answer, PackedSample)],
                provenance=self.provenance,
                quarantined={a.sample_id: a.reason for a in in_order if isinstance(a, FailedRequest)},
            )
        return entry_of(self.tar_path, index)
