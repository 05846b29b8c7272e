"""The table [model]: one section per network, chosen by its ``name``."""

from typing import Annotated, Literal

from pydantic import Field

from trainer.sections import Section


class RegressorModel(Section):
    """An image backbone with one linear layer to vertices and camera, as in the paper's ablation."""

    name: Literal["regressor"] = "regressor"
    """Which network."""
    backbone: Literal["mobilenet_v2", "resnet18", "resnet50", "resnet101"] = "resnet101"
    """A network of torchvision."""
    pretrained: bool = True
    """Start from ImageNet weights, which torchvision downloads once into $TORCH_HOME."""


type ModelConfig = Annotated[RegressorModel, Field(discriminator="name")]
