"""From the table [model] to a network."""

import hashlib
from dataclasses import replace
from pathlib import Path

from jaxtyping import Int64
from torch import Tensor

from shared.hand_model import HandModel
from trainer.networks.base import HandNetwork, NetworkSection, Surroundings
from trainer.networks.weights.start import load_start_weights, read_start_weights


def build_network(
    config: NetworkSection,
    hand_model: HandModel,
    *,
    cache_dir: Path | None = None,
    from_checkpoint: bool = False,
    all_weights: bool = False,
) -> HandNetwork:
    """Build the network that a configuration names, on the CPU.

    Args:
        config: Which network, and its sizes.
        hand_model: Whose mesh is predicted.
        cache_dir: Keeps the coarse mesh, which otherwise is made again each time; the run's folder is good.
        from_checkpoint: Weights will be loaded afterwards, so neither download nor read any.
        all_weights: The weights to start from must be whole, because nothing will train the rest.

    Raises:
        ConfigError: There is no such backbone, or its ImageNet weights cannot be had.
        CheckpointError: The weights to start from cannot be used.
        HandModelError: The hand model has no coarse mesh.
    """
    start = None if from_checkpoint or config.weights is None else read_start_weights(config.weights)
    given = Surroundings(
        hand_model=hand_model, cache_dir=cache_dir, from_checkpoint=from_checkpoint or start is not None
    )
    network = config.build(given)
    if start is not None and not start.cover(network):  # what they leave starts as it does without them
        network = config.build(replace(given, from_checkpoint=False))
    if start is not None:
        mesh = coarse_mesh_hash(network.coarse_vert_ids)
        is_chosen = config.published_mesh is not None
        load_start_weights(network, start, hand_model, coarse_mesh=mesh, is_chosen=is_chosen)
        if all_weights:
            start.require_whole(network)
    return network


def coarse_mesh_hash(vert_ids: Int64[Tensor, " coarse"] | None) -> str | None:
    """Return which vertices the tokens of a network stand for: weights in another order would be nonsense."""
    if vert_ids is None:
        return None
    return hashlib.sha256(vert_ids.cpu().numpy().tobytes()).hexdigest()[:16]
