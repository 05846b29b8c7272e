"""One picture of a shard as a request, whose worker packs it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from render_worker.requests import RenderContext
from render_worker.twins.twin import TwinRequest
from shared.seeds import rng_of
from shared.twins.names import photograph_of
from shared.twins.predictions import PredictionShard
from shared.twins.sample import Provenance
from shared.twins.shard_writing import PackedSample, pack_sample
from shared.twins.variation import Variation


@dataclass(frozen=True, slots=True, eq=False)
class PackedTwin:
    """A twin for a shard; its worker packs it, so that the driver only lays bytes one after the other.

    Attributes:
        shard: Stem of the shard.
        twin: What to render.
    """

    shard: str
    twin: TwinRequest

    @property
    def sample_id(self) -> str:
        """Name of the picture."""
        return self.twin.sample_id

    def render(self, context: RenderContext) -> PackedSample:
        """Render the twin.

        Raises:
            RenderError: The hand cannot be seen.
        """
        return pack_sample(self.twin.render(context))


def packed_twins(
    shard: str,
    predictions: PredictionShard,
    names: Iterable[str],
    *,
    provenance: Provenance,
    variation: Variation,
) -> Iterator[PackedTwin]:
    """Yield the requests for the twins of a prediction shard.

    Args:
        shard: Stem of the shard.
        predictions: The hands.
        names: Of the twins, in order; others are not drawn.
        provenance: How the shard is made: the seed of the run, and the round.
        variation: How hands are varied before they are drawn.
    """
    rows = {name: row for row, name in enumerate(predictions.sample_ids)}
    for name in names:
        row = rows[photograph_of(name)]
        other = None
        if variation.occluded > 0:
            rng = rng_of(provenance.run_seed, "second hand", provenance.round_index, name)
            chosen = int(rng.integers(len(predictions)))
            other = (predictions.verts_m[chosen], predictions.joints_m[chosen])
        twin = TwinRequest(
            sample_id=name,
            verts_m=predictions.verts_m[row],
            joints_m=predictions.joints_m[row],
            camera=predictions.camera(row),
            image_px=predictions.image_px,
            round_index=predictions.round_index,
            run_seed=provenance.run_seed,
            variation=variation,
            other=other,
        )
        yield PackedTwin(shard, twin)
