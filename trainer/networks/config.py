"""The table [model]: one section per network, chosen by its ``name``."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator

from shared.records import Section


class RegressorModel(Section):
    """An image backbone with one linear layer to vertices and camera, as in the paper's ablation."""

    name: Literal["regressor"] = "regressor"
    """Which network."""
    backbone: str = "resnet101"
    """A network of torchvision or timm, for example ``mobilenet_v2`` or ``hrnet_w64``."""
    pretrained: bool = True
    """Start from ImageNet weights, which are downloaded once into $TORCH_HOME or $HF_HOME."""


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
    RegressorModel | FastMetroModel | MetroModel | GraphormerModel, Field(discriminator="name")
]
