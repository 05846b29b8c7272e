"""A whole shard as one request: its worker reads the predictions, draws, packs, and writes the files.

Only a few numbers come back, so that a thousand workers cost their driver no more than some cost it picture
by picture. The bytes are the same in both ways.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from render_worker.requests import RenderContext
from render_worker.twins.packed_twin import PackedTwin, packed_twins
from render_worker.twins.seen_place import UnseenPlace, why_unseen
from render_worker.twins.shard_files import ShardPlace, WholeShardIndex
from shared.errors import BackgroundError, RenderError, ShardError
from shared.storage.files import sha256_of
from shared.twins.manifest import uncommit
from shared.twins.predictions import PredictionShard, read_predictions
from shared.twins.sample import Provenance
from shared.twins.shard_writing import PackedSample
from shared.twins.variation import Variation

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


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class WholeShard:
    """A shard to draw and to write.

    Attributes:
        predictions_path: Where the hands are.
        place: Where the shard will be stored.
        names: Its twins, in order; others of the prediction shard are not drawn.
        provenance: How the round is made; the hash of the predictions is still to be filled in.
        variation: How hands are varied before they are drawn.
        secret: By which it is told whether its worker sees the place.
        predictions: Content of that file, for a worker that need not see it because the shard is stored at a
            URL.
        draw: Draws one picture.
    """

    predictions_path: Path
    place: ShardPlace
    names: tuple[str, ...]
    provenance: Provenance
    variation: Variation
    secret: str
    predictions: bytes | None = None
    draw: DrawTwin = PackedTwin.render

    @property
    def sample_id(self) -> str:
        """Stem of the shard."""
        return self.place.tar_path.stem

    @property
    def num_pictures(self) -> int:
        """So many, those included that cannot be drawn."""
        return len(self.names)

    def render(self, context: RenderContext) -> WrittenShard | UnseenPlace:
        """Draw and write the shard, unless an earlier attempt left it intact.

        Raises:
            ShardError: The predictions cannot be read, or the shard cannot be written.
            DeviceError: What draws has changed in the meantime; nothing was stored.
        """
        context.begin_files()
        unseen = why_unseen(self.place, self.predictions_path, self.secret)
        if unseen is not None:
            return unseen
        with self._predictions_at_hand() as path:
            digest = sha256_of(path)
            provenance = self.provenance.model_copy(update={"predictions_sha256": digest})
            found = self.place.intact(self.names, provenance)
            if found is not None:
                return _described(found, rendered=0)
            if self.place.url is None:  # otherwise the driver has done that
                uncommit(self.place.tar_path.parent)
            quarantined: dict[str, str] = {}
            try:
                written = self.place.write(
                    self._pictures(self._read(path), context, quarantined),
                    provenance=provenance,
                    quarantined=quarantined,
                )
            except _WrittenByAnotherError:
                return _described(self.place.stored(), rendered=0)
        return _described(written, rendered=len(written.index.samples))

    @contextmanager
    def _predictions_at_hand(self) -> Iterator[Path]:
        """Give a file with the predictions: the driver's, or one of what it sent."""
        if self.predictions is None:
            yield self.predictions_path
            return
        with TemporaryDirectory(prefix="meshcycle-") as aside:
            path = Path(aside) / self.predictions_path.name
            path.write_bytes(self.predictions)
            yield path

    def _read(self, path: Path) -> PredictionShard:
        try:
            return read_predictions(path)
        except ShardError as error:
            told = error.message.replace(str(path), str(self.predictions_path))
            raise ShardError(told, error.remedy) from error

    def _pictures(
        self, predictions: PredictionShard, context: RenderContext, quarantined: dict[str, str]
    ) -> Iterator[PackedSample]:
        """Draw one after the other, noting those that cannot be drawn."""
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
        if self.place.is_whole():
            # This worker was given up for dead, and the driver has had the shard written meanwhile.
            raise _WrittenByAnotherError
        context.begin_files()


def _described(shard: WholeShardIndex, *, rendered: int) -> WrittenShard:
    index = shard.index
    return WrittenShard(index.provenance, shard.sha256, index.quarantined, rendered)


class _WrittenByAnotherError(Exception):
    """The shard is complete already."""
