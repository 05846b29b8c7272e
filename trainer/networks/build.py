"""From the table [model] to a network: the one place that knows all of them."""

from pathlib import Path

from shared.hand_model import HandModel
from trainer.networks.base import HandNetwork
from trainer.networks.coarse.mesh import coarse_mesh
from trainer.networks.config import (
    FastMetroModel,
    GraphormerModel,
    JointReaderModel,
    MetroModel,
    ModelConfig,
    RegressorModel,
)
from trainer.networks.fastmetro import NUM_LAYERS, FastMetro
from trainer.networks.joint_reader import JointReader
from trainer.networks.metro import Graphormer, Metro
from trainer.networks.regressor import HandRegressor
from trainer.networks.released_weights import load_released_weights
from trainer.networks.token_encoder import EncoderSizes


def build_network(
    config: ModelConfig,
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
    pretrained = config.pretrained and not from_checkpoint
    if isinstance(config, RegressorModel):
        return HandRegressor(hand_model, backbone=config.backbone, pretrained=pretrained)
    if isinstance(config, JointReaderModel):
        return JointReader(
            hand_model,
            backbone=config.backbone,
            pretrained=pretrained,
            channels=config.channels,
            frozen_stride=config.frozen_stride,
        )
    mesh = coarse_mesh(hand_model, published=config.coarse_mesh, cache_dir=cache_dir)
    match config:
        case FastMetroModel():
            network = FastMetro(
                hand_model,
                mesh,
                backbone=config.backbone,
                pretrained=pretrained and config.weights is None,
                num_layers=NUM_LAYERS[config.size],
                dims=config.dims,
                dropout=config.dropout,
            )
            if config.weights is not None and not from_checkpoint:
                load_released_weights(network, config.weights)
            return network
        case MetroModel() | GraphormerModel():
            kind = Metro if isinstance(config, MetroModel) else Graphormer
            return kind(
                hand_model,
                mesh,
                backbone=config.backbone,
                pretrained=pretrained,
                masked_share=config.masked_share,
                sizes=EncoderSizes(dropout=config.dropout),
            )
