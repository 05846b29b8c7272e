"""The files of one synthetic shard, as whoever writes them sees them: the driver of a round, or a worker."""

import hashlib
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from render_worker.requests import FailedRequest
from shared.errors import ShardError, StorageError
from shared.storage.files import DISK_IS_FULL, sha256_of
from shared.storage.object_store import ObjectStore
from shared.twins.manifest import ShardEntry, entry_of
from shared.twins.sample import Provenance
from shared.twins.shard_index import ShardIndex, index_path, parse_index
from shared.twins.shard_writing import PackedSample, write_shard
from shared.twins.shards import SyntheticShard

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WholeShardIndex:
    """The index of a shard that is stored.

    Attributes:
        index: What it says.
        sha256: Of its file.
    """

    index: ShardIndex
    sha256: str


@dataclass(frozen=True, slots=True)
class ShardPlace:
    """Where a shard is stored.

    Attributes:
        tar_path: Its tar in the folder of the round; where it is stored, unless that is at a URL.
        url: Of the folder that has it instead, under the same name.
    """

    tar_path: Path
    url: str | None = None

    def __str__(self) -> str:
        return str(self.tar_path) if self.url is None else f"{self.url}/{self.tar_path.name}"

    def is_whole(self) -> bool:
        """Whether there is an index, and so a shard.

        Raises:
            StorageError: The URL cannot be read.
        """
        if self.url is None:
            return index_path(self.tar_path).exists()
        return ObjectStore(self.url).read(index_path(self.tar_path).name) is not None

    def stored(self) -> WholeShardIndex:
        """Return the index that is there.

        Raises:
            ShardError: It is missing or damaged.
            StorageError: The URL cannot be read.
        """
        if self.url is None:
            shard = SyntheticShard(self.tar_path)
            return WholeShardIndex(shard.index, shard.index_sha256)
        content = ObjectStore(self.url).read(index_path(self.tar_path).name) or b""
        return WholeShardIndex(parse_index(content, f"{self}, index"), hashlib.sha256(content).hexdigest())

    def intact(self, names: Sequence[str], provenance: Provenance) -> WholeShardIndex | None:
        """Return the index of what an earlier attempt left behind, every byte of it unchanged; else None.

        Args:
            names: Samples that the shard would have, drawn or refused, in order.
            provenance: How it would be made.

        Raises:
            StorageError: The URL cannot be read.
        """
        try:
            found = self.stored()
        except ShardError:
            return None
        drawn = tuple(name for name in names if name not in found.index.quarantined)
        # On a cluster, the worker that was asked for its device may live on another machine this time.
        made = found.index.provenance.model_copy(update={"device": provenance.device})
        if made != provenance or tuple(found.index.samples) != drawn:
            return None
        if not self._has_all_bytes(found.index):
            logger.warning("%s has changed on the disk since it was written; rendering it again.", self)
            return None
        return found

    def write(
        self,
        samples: Iterable[PackedSample],
        *,
        provenance: Provenance,
        quarantined: Mapping[str, str],
    ) -> WholeShardIndex:
        """Store a shard; at a URL, its index is sent when its tar has arrived.

        Raises:
            ShardError: It cannot be written, for example because the disk is full.
        """
        with self._naming_errors():
            if self.url is None:
                index = write_shard(self.tar_path, samples, provenance=provenance, quarantined=quarantined)
                return WholeShardIndex(index, sha256_of(index_path(self.tar_path)))
            store = ObjectStore(self.url)
            store.delete([index_path(self.tar_path).name])  # so that it can never describe another tar
            with TemporaryDirectory(prefix="meshcycle-") as aside:
                tar = Path(aside) / self.tar_path.name
                index = write_shard(tar, samples, provenance=provenance, quarantined=quarantined)
                store.upload({tar.name: tar}, description=f"sending {tar.name}")
                store.write(index_path(tar).name, index_path(tar).read_bytes())
                return WholeShardIndex(index, sha256_of(index_path(tar)))

    def _has_all_bytes(self, index: ShardIndex) -> bool:
        if self.url is None:
            return SyntheticShard(self.tar_path).is_intact()
        with TemporaryDirectory(prefix="meshcycle-") as aside:
            tar = Path(aside) / self.tar_path.name
            index_path(tar).write_text(index.model_dump_json(indent=1))
            try:
                ObjectStore(self.url).download(
                    {tar.name: tar}, num_bytes=index.tar_bytes, description=f"looking at {tar.name}"
                )
                return SyntheticShard(tar).is_intact()
            except (FileNotFoundError, ShardError):  # it is gone, or was cut
                return False

    @contextmanager
    def _naming_errors(self) -> Iterator[None]:
        """Say which shard could not be written, why, and what to do."""
        try:
            yield
        except OSError as error:
            remedy = "Make room" if error.errno in DISK_IS_FULL else "See that it can be written there"
            raise ShardError(
                f"{self}: expected to write a shard, found: {error.strerror or error}.",
                remedy=f"{remedy}, then repeat the command; complete shards are kept.",
            ) from error
        except StorageError as error:
            raise ShardError(
                f"{self}: expected to store a shard, found: {error}",
                remedy="Then repeat the command; complete shards are kept.",
            ) from error


@dataclass(eq=False, kw_only=True)
class OpenShard:
    """A synthetic shard that waits for its pictures.

    Attributes:
        place: Where it will be stored.
        provenance: How it is made.
        names: Its samples, in order.
        number: Of the shard in its round.
        answers: Pictures and refusals so far, by name.
    """

    place: ShardPlace
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
        written = self.place.write(
            [answer for answer in in_order if isinstance(answer, PackedSample)],
            provenance=self.provenance,
            quarantined={a.sample_id: a.reason for a in in_order if isinstance(a, FailedRequest)},
        )
        return entry_of(self.place.tar_path, written.index, index_sha256=written.sha256)
