"""The table [model]: one section per network, chosen by its ``name``."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, model_validator

from shared.records import Section


class RegressorModel(Section):
    """An image backbone with one linear layer to vertices and camera, as in the paper's ablation."""

    name: Literal["regressor"] = "regressor"
    """Which network."""
    backbone: str = "resnet101"
    """A network of torchvision or timm, for example ``mobilenet_v2`` or ``hrnet_w64``."""
    pretrained: bool = True
    """Start from ImageNet weights, which are downloaded once into $TORCH_HOME or $HF_HOME."""


JOINT_READER_PX = 32
"""The side of its crop is a multiple of this: its coarsest cells are so large, and finer ones divide them."""


class JointReaderModel(Section):
    """A small network that looks for each joint in a heat map, and lifts the joints to a mesh.

    It is not of the paper. `data.input_px` must be a multiple of 32.
    """

    name: Literal["joint_reader"]
    """Which network."""
    backbone: str = "mobilenet_v2"
    """A network of torchvision that is a sequence of layers, such as ``mobilenet_v2`` or ``resnet18``."""
    pretrained: bool = True
    """Start from ImageNet weights, which are downloaded once into $TORCH_HOME."""
    channels: PositiveInt = 96
    """Of the feature maps that places are read from."""
    frozen_stride: NonNegativeInt = 4
    """Stages of the backbone up to this stride keep the weights that they start from, and steps are faster
    for it; 0 lets all of them learn. Without ImageNet weights, let all of them learn."""
    drill: NonNegativeFloat = 0.5
    """Weight, beside the losses of the photographs, of hands without pictures that teach the lifter in every
    step; 0 leaves them out."""
    drill_hands: PositiveInt = 40_000
    """Hands that are posed for this at the start of every run: 40,000 take 190 MB and half a minute."""


class _TransformerModel(Section):
    """What all networks with a coarse mesh share."""

    backbone: str = "hrnet_w64"
    """A network of torchvision or timm, for example ``resnet50`` or ``mobilenet_v2``."""
    pretrained: bool = True
    """Start from ImageNet weights, which are downloaded once into $TORCH_HOME or $HF_HOME."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of the transformer's activations that training drops."""
    coarse_mesh: Path | None = None
    """METRO's ``mano_downsampling.npz``, for released weights; made from the hand model if left out."""


class FastMetroModel(_TransformerModel):
    """FastMETRO: joints and coarse vertices decoded from image tokens; the paper's main baseline."""

    name: Literal["fastmetro"]
    """Which network."""
    size: Literal["S", "M", "L"] = "L"
    """One, two or three layers in every encoder and decoder."""
    dims: tuple[PositiveInt, PositiveInt] = (512, 128)
    """Token sizes of the two transformers; smaller ones, multiples of 8, suit machines without a GPU."""
    weights: Path | None = None
    """A released state dict to start from, of the same size and backbone; it needs its own `coarse_mesh`."""

    @model_validator(mode="after")
    def _tokens_stand_for_known_vertices(self) -> Self:
        if self.weights is not None and self.coarse_mesh is None:
            raise ValueError(
                "weights: expected METRO's mano_downsampling.npz as coarse_mesh beside them, found none, "
                "so that their tokens would stand for other vertices. Add the key coarse_mesh"
            )
        return self


class MetroModel(_TransformerModel):
    """METRO: template tokens with the image's global feature, through an encoder of three blocks."""

    name: Literal["metro"]
    """Which network."""
    masked_share: float = Field(default=0.0, ge=0, le=1)
    """Largest share of tokens that training blots out; METRO found 0 or 0.05 best for hands."""


class GraphormerModel(_TransformerModel):
    """Mesh Graphormer: METRO with image tokens, and graph convolutions in the last block."""

    name: Literal["graphormer"]
    """Which network."""
    masked_share: float = Field(default=0.0, ge=0, le=1)
    """Largest share of tokens that training blots out."""


type ModelConfig = Annotated[
    RegressorModel | JointReaderModel | FastMetroModel | MetroModel | GraphormerModel,
    Field(discriminator="name"),
]
