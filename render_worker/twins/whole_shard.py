"""A whole shard as one request: its worker reads the predictions, draws, packs, and writes the files.

Only a few numbers come back, so that a thousand workers cost their driver no more than some cost it picture
by picture. The bytes are the same in both ways.
"""

import hashlib
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from render_worker.requests import RenderContext
from render_worker.twins.packed_twin import PackedTwin, packed_twins
from render_worker.twins.shard_files import intact_index, naming_write_errors
from shared.errors import BackgroundError, RenderError
from shared.twins.manifest import uncommit
from shared.twins.predictions import read_predictions
from shared.twins.sample import Provenance
from shared.twins.shards import PackedSample, ShardIndex, index_path, read_index, write_shard
from shared.twins.variation import Variation

PROOF: Final = ".seen-by-workers"
"""File in the folder of a round with a secret: a worker that reads it there sees the driver's folder."""

type DrawTwin = Callable[[PackedTwin, RenderContext], PackedSample]


@dataclass(frozen=True, slots=True)
class WrittenShard:
    """What a worker says about a shard that is complete.

    Attributes:
        provenance: How it was made.
        index_sha256: Hash of its index.
        quarantined: Samples that could not be drawn, and why.
        rendered: Pictures that were drawn now; 0 if an earlier attempt had left the shard intact.
    """

    provenance: Provenance
    index_sha256: str
    quarantined: dict[str, str]
    rendered: int


@dataclass(frozen=True, slots=True)
class UnseenFolder:
    """What a worker answers that does not see the folders of its driver under the same paths.

    Attributes:
        host: Name of its machine.
    """

    host: str


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class WholeShard:
    """A shard to draw and to write.

    Attributes:
        predictions_path: Where the hands are.
        tar_path: Where the shard will be stored.
        names: Its twins, in order; others of the prediction shard are not drawn.
        provenance: How the round is made; the hash of the predictions is still to be filled in.
        variation: How hands are varied before they are drawn.
        proof: Content of the file `PROOF` beside the tar.
        draw: Draws one picture.
    """

    predictions_path: Path
    tar_path: Path
    names: tuple[str, ...]
    provenance: Provenance
    variation: Variation
    proof: str
    draw: DrawTwin = PackedTwin.render

    @property
    def sample_id(self) -> str:
        """Stem of the shard."""
        return self.tar_path.stem

    @property
    def num_pictures(self) -> int:
        """So many, those included that cannot be drawn."""
        return len(self.names)

    def render(self, context: RenderContext) -> WrittenShard | UnseenFolder:
        """Draw and write the shard, unless an earlier attempt left it intact.

        Raises:
            ShardError: The predictions cannot be read, or the shard cannot be written.
            DeviceError: What draws has changed in the meantime; nothing was stored.
        """
        context.begin_files()
        if not self._is_seen():
            return UnseenFolder(socket.gethostname())
        digest = hashlib.sha256(self.predictions_path.read_bytes()).hexdigest()
        provenance = self.provenance.model_copy(update={"predictions_sha256": digest})
        index = intact_index(self.tar_path, self.names, provenance)
        if index is not None:
            return self._described(index, rendered=0)
        uncommit(self.tar_path.parent)
        quarantined: dict[str, str] = {}
        with naming_write_errors(self.tar_path):
            try:
                index = write_shard(
                    self.tar_path,
                    self._pictures(context, quarantined),
                    provenance=provenance,
                    quarantined=quarantined,
                )
            except _WrittenByAnotherError:
                return self._described(read_index(self.tar_path), rendered=0)
        return self._described(index, rendered=len(index.samples))

    def _is_seen(self) -> bool:
        """Whether this machine has the driver's folders, not some of its own under the same names."""
        folder = self.tar_path.parent
        try:
            found = (folder / PROOF).read_text()
        except OSError:
            return False
        return found == self.proof and os.access(folder, os.W_OK) and self.predictions_path.exists()

    def _pictures(self, context: RenderContext, quarantined: dict[str, str]) -> Iterator[PackedSample]:
        """Draw one after the other, noting those that cannot be drawn."""
        predictions = read_predictions(self.predictions_path)
        twins = packed_twins(
            self.sample_id,
            predictions,
            self.names,
            provenance=self.provenance,
            variation=self.variation,
        )
        for twin in twins:
            context.begin_picture()
            try:
                picture = self.draw(twin, context)
            except (RenderError, BackgroundError) as error:
                context.doubt_device(error)
                quarantined[twin.sample_id] = str(error)
            else:
                yield picture
        context.require_device()
        if index_path(self.tar_path).exists():
            # This worker was given up for dead, and the driver has had the shard written meanwhile.
            raise _WrittenByAnotherError
        context.begin_files()

    def _described(self, index: ShardIndex, *, rendered: int) -> WrittenShard:
        digest = hashlib.sha256(index_path(self.tar_path).read_bytes()).hexdigest()
        return WrittenShard(index.provenance, digest, index.quarantined, rendered)


class _WrittenByAnotherError(Exception):
    """The shard is complete already."""
