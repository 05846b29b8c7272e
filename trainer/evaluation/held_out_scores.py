"""What a round of training is worth: the errors on the held-out photographs of every source."""

from pathlib import Path

from shared.twins.rounds import SyntheticRound
from trainer.config.run import TrainConfig
from trainer.data.sources import Source
from trainer.evaluation.evaluate import score_photographs
from trainer.evaluation.partial_scores import score_partly
from trainer.evaluation.twin_crops import recycled_error
from trainer.networks.base import HandNetwork
from trainer.run.processes import autocast_of
from trainer.run.source_scores import joined_scores


def score_sources(
    network: HandNetwork, sources: tuple[Source, ...], config: TrainConfig, *, twins: Path | None
) -> dict[str, float]:
    """Return the scores of all sources with meshes, joined, and what can be measured of each of the others.

    Args:
        network: As it is after the round.
        sources: Of the run.
        config: Of the run.
        twins: Committed round of renders that the round trained with, if it had any.

    Raises:
        TrainingError: A predicted number is not finite.
    """
    margin, autocast = config.model.box_margin, autocast_of(config.compute)
    with_meshes = [source for source in sources if source.has_meshes]
    by_source = {
        source.name: score_photographs(
            network,
            source.split,
            source.held_out,
            data=config.data,
            box_margin=margin,
            autocast=autocast,
        )
        for source in with_meshes
    }
    scores = joined_scores(by_source, [source.share for source in with_meshes])
    drawn = None if twins is None else SyntheticRound.open(twins, cache_mb=config.data.cache_mb)
    for source in sources:
        if source.split.labels in ("joints", "keypoints"):
            found = score_partly(network, source, data=config.data, box_margin=margin, autocast=autocast)
        elif source.split.labels == "none" and drawn is not None:
            found = recycled_error(
                network, source, drawn, data=config.data, box_margin=margin, autocast=autocast
            )
        else:
            continue
        scores |= {f"{source.name}/{name}": value for name, value in found.items()}
    return scores
