"""From the table [model] to a network."""

from pathlib import Path

from shared.hand_model import HandModel
from trainer.networks.base import HandNetwork, NetworkSection, Surroundings


def build_network(
    config: NetworkSection,
    hand_model: HandModel,
    *,
    cache_dir: Path | None = None,
    from_checkpoint: bool = False,
) -> HandNetwork:
    """Build the network that a configuration names, on the CPU.

    Args:
        config: Which network, and its sizes.
        hand_model: Whose mesh is predicted.
        cache_dir: Keeps the coarse mesh, which otherwise is made again each time; the run's folder is good.
        from_checkpoint: Weights will be loaded afterwards, so neither download nor read any.

    Raises:
        ConfigError: There is no such backbone, or its ImageNet weights cannot be had.
        CheckpointError: Released weights are of another network.
        HandModelError: The hand model has no coarse mesh.
    """
    given = Surroundings(hand_model=hand_model, cache_dir=cache_dir, from_checkpoint=from_checkpoint)
    return config.build(given)
