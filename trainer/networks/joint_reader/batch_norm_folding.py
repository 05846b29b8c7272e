"""Batch norm of a trained network as part of its convolutions: fewer layers to compute and to learn."""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from shared.errors import ConfigError

_PROBE_PX: Final = 64
_TOLERANCE: Final = 1e-3


def fold_batch_norm(network: nn.Module, *, name: str) -> None:
    """Put each batch norm behind a convolution into its weights and biases, in place.

    The statistics are those of the training that the network comes from; from now on nothing is normalised by
    the batch. What the network computes in evaluation mode stays. Layers must be listed in the order in which
    they are computed, as torchvision's are.

    Args:
        network: Maps pictures to features; left in evaluation mode.
        name: Of the network, for the error.

    Raises:
        ConfigError: The network computes something else afterwards.
    """
    network.eval()
    before = _probe(network)
    for module in list(network.modules()):
        last: tuple[str, nn.Module] | None = None
        for place, layer in list(module.named_children()):
            if last is not None and isinstance(last[1], nn.Conv2d) and isinstance(layer, nn.BatchNorm2d):
                folded = fuse_conv_bn_eval(last[1], layer)  # whose bias would not learn where there was none
                setattr(module, last[0], folded.requires_grad_(True))
                setattr(module, place, nn.Identity())
            last = place, layer
    difference, size = float((_probe(network) - before).abs().max()), float(before.abs().max())
    if not difference <= _TOLERANCE * size:
        raise ConfigError(
            f"model.fold_batch_norm: expected {name} to compute the same when folded, found a difference of "
            f"{difference:.1e} in features of up to {size:.1e}.",
            remedy="Set it to false, or choose another backbone, such as mobilenet_v2.",
        )


@torch.no_grad()
def _probe(network: nn.Module) -> Tensor:
    picture = torch.randn(1, 3, _PROBE_PX, _PROBE_PX, generator=torch.Generator().manual_seed(0))
    features: Tensor = network(picture)
    return features
