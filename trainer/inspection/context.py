"""What synthetic shards belong to: their run, its photographs, and the hand model that was rendered."""

from dataclasses import dataclass
from pathlib import Path

from shared.errors import ConfigError, HandModelError
from shared.freihand import FreiHandSplit
from shared.hand_model import HandModel, load_hand_model
from trainer.config.run import TrainConfig
from trainer.data.sources import open_split
from trainer.inspection.named_photographs import NamedPhotographs
from trainer.inspection.shards import Inspection
from trainer.run.folder import run_of
from trainer.run.stored_config import read_config


@dataclass(frozen=True, slots=True, eq=False)
class ShardContext:
    """The surroundings of some shards.

    Attributes:
        run_dir: Folder of their run; None for shards outside of a run.
        photographs: Those whose predictions were drawn, if they are known.
        hand_model: The hand that was drawn.
    """

    run_dir: Path | None
    photographs: NamedPhotographs | None
    hand_model: HandModel


def context_of(
    inspection: Inspection, *, dataset: Path | None = None, hand_model: Path | None = None
) -> ShardContext:
    """Find what shards belong to; the run of the first one counts.

    Args:
        inspection: The shards.
        dataset: Folder of the photographs, if it is not that of the run.
        hand_model: Model that was drawn, if it is not that of the run, or the embedded one.

    Raises:
        DatasetError: The photographs are not where they were.
        ConfigError: A folder is given, but the run has several sources.
        HandModelError: The shards were drawn with another hand model.
    """
    run_dir = run_of(inspection.rows[0].path) if inspection.rows else None
    config = read_config(run_dir, run_dir=run_dir) if run_dir else None
    model = load_hand_model(hand_model or (config.hand_model if config else None))
    for row in inspection.rows:
        drawn = row.provenance.hand_model_sha256
        if drawn != model.sha256:
            raise HandModelError(
                (
                    f"{row.path}: expected a mesh of the hand model {model.name} ({model.sha256[:8]}), "
                    f"found one of {drawn[:8]}."
                ),
                remedy="Give the hand model that the shard was rendered with.",
            )
    return ShardContext(run_dir, _photographs(config, dataset), model)


def _photographs(config: TrainConfig | None, dataset: Path | None) -> NamedPhotographs | None:
    """Open the photographs of a run that have twins, or those in a folder that was given instead."""
    sources = config.data.all_sources if config else ()
    if dataset is not None:
        if len(sources) > 1:
            raise ConfigError(
                f"{dataset}: expected no folder instead of the {len(sources)} sources of the run, found one.",
                remedy="Leave --data out, and put the sources where the run's config.toml says.",
            )
        return NamedPhotographs([FreiHandSplit(dataset, "training")])
    if config is None:
        return None
    return NamedPhotographs([open_split(source, config.data) for source in sources if source.twins])
