"""Image backbones for every network: a name becomes a module that turns crops into one feature map.

torchvision's networks and timm's share one namespace here; where both know a name, torchvision's is taken.
Module names are those of released hand networks: a torchvision ResNet becomes a plain sequence, as in
FastMETRO-R50, and timm's ``hrnet_w64`` keeps its own names, which are those of FastMETRO-H64.
"""

import difflib
from typing import NamedTuple

import timm
import torch
from torch import nn
from torchvision import models

from shared.errors import ConfigError

_PROBE_PX = (64, 96)
"""Height and width of the picture that reveals a backbone's channels; unequal, to tell rows from channels."""


class FeatureBackbone(NamedTuple):
    """A backbone and what comes out of it.

    Attributes:
        module: Maps (batch, 3, height, width) to (batch, channels, height / stride, width / stride).
        channels: Depth of the feature map.
        stride: Pixels per cell of the feature map; 32 for most, so that 224 pixels give 7 x 7 cells.
    """

    module: nn.Module
    channels: int
    stride: int


def feature_backbone(name: str, *, pretrained: bool) -> FeatureBackbone:
    """Build a backbone without its classifier.

    Args:
        name: As torchvision or timm spell it, for example ``resnet50``, ``hrnet_w64``, ``mobilenet_v2``.
        pretrained: Start from ImageNet weights, which are downloaded once; otherwise from random ones.

    Raises:
        ConfigError: No such network, no feature map, or its weights cannot be had.
    """
    try:
        module = _without_classifier(name, pretrained=pretrained)
    except OSError as error:  # torch.hub and huggingface_hub both report a missing network this way
        raise ConfigError(
            f"model.backbone: expected to download ImageNet weights of {name}, found {error}.",
            remedy=(
                "Put the file into $TORCH_HOME/hub/checkpoints (torchvision) or $HF_HOME (timm), "
                "or set model.pretrained = false."
            ),
        ) from error
    height_px, width_px = _PROBE_PX
    shape = _shape_of_features(module, name)
    if len(shape) != 4 or height_px * shape[3] != width_px * shape[2]:
        raise ConfigError(
            (
                "model.backbone: expected a feature map of channels, rows and columns, found "
                f"{tuple(shape[1:])} "
                f"from {name}."
            ),
            remedy="Choose a convolutional network, such as resnet50.",
        )
    return FeatureBackbone(module, channels=shape[1], stride=height_px // shape[2])


def _without_classifier(name: str, *, pretrained: bool) -> nn.Module:
    if name in models.list_models(module=models):
        network = models.get_model(name, weights="IMAGENET1K_V1" if pretrained else None)
        if isinstance(network, models.ResNet):
            return nn.Sequential(*list(network.children())[:-2])
        if isinstance(getattr(network, "features", None), nn.Module):
            features: nn.Module = network.features
            return features
        raise ConfigError(
            f"model.backbone: expected a network with its features apart, found torchvision's {name}.",
            remedy="Choose another, such as resnet50 or mobilenet_v2.",
        )
    if timm.is_model(name):
        module: nn.Module = timm.create_model(name, pretrained=pretrained, num_classes=0, global_pool="")
        return module
    known = [*models.list_models(module=models), *timm.list_models()]
    close = difflib.get_close_matches(name, known, n=3)
    raise ConfigError(
        f"model.backbone: expected a network of torchvision or timm, found {name}. "
        + (f"Did you mean {', '.join(close)}?" if close else "`timm.list_models()` lists many.")
    )


def _shape_of_features(module: nn.Module, name: str) -> torch.Size:
    """Run the backbone once, without a trace in its batch statistics."""
    device = next(module.parameters()).device
    training = module.training
    module.eval()
    try:
        with torch.no_grad():
            features: torch.Tensor = module(torch.zeros(1, 3, *_PROBE_PX, device=device))
    except (AssertionError, RuntimeError) as error:  # transformers insist on the size they were trained at
        raise ConfigError(
            f"model.backbone: expected a network for pictures of any size, found {name}: {error}.",
            remedy="Choose a convolutional one, such as resnet50.",
        ) from error
    finally:
        module.train(training)
    return features.shape
