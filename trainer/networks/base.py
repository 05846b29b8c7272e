"""What every network is, crops in and hands out, and what its section in [model] can do."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from jaxtyping import Float, Int64
from pydantic import Field
from torch import Tensor, nn

from shared.hand_model import HandModel
from shared.records import Section
from trainer.networks.weights.start import StartPlace
from trainer.types import HandPrediction


class HandNetwork(nn.Module):
    """Anything that maps normalised crops to hands.

    Attributes:
        coarse_vert_ids: Vertices that the coarse mesh keeps, in its order; None without a coarse mesh.
        tries_turns: Whether a crop is predicted in four turns, of which the surest counts.
    """

    coarse_vert_ids: Int64[Tensor, " coarse"] | None

    def __init__(
        self, *, coarse_vert_ids: Int64[Tensor, " coarse"] | None = None, tries_turns: bool = False
    ) -> None:
        super().__init__()
        self.tries_turns = tries_turns
        self.register_buffer("coarse_vert_ids", coarse_vert_ids, persistent=False)

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> HandPrediction:
        """Predict one hand per crop."""
        raise NotImplementedError

    def __call__(self, images: Float[Tensor, "batch 3 height width"]) -> HandPrediction:
        """Predict one hand per crop."""
        prediction: HandPrediction = super().__call__(images)
        return prediction


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a network is built for.

    Attributes:
        hand_model: Whose mesh is predicted.
        cache_dir: Keeps the coarse mesh, which otherwise is made again each time.
        from_checkpoint: Weights will be loaded afterwards, so neither download nor read any.
    """

    hand_model: HandModel
    cache_dir: Path | None = None
    from_checkpoint: bool = False


class NetworkSection(Section):
    """A table [model]: its keys, and the network that they describe."""

    input_multiple_px: ClassVar[int] = 1
    """The side of the network's crop is a multiple of this."""

    box_margin: float | None = Field(default=None, ge=0.1, le=20)
    """The network sees squares about hands instead of the middles of photographs: their sides, in longer
    sides of the box around a hand's joints. 1.3 is good where a finder gives such boxes."""
    weights: StartPlace | None = None
    """Start from these: a run, a checkpoint, packed weights or a state dict, or ``open``, the open model
    (docs/model.md). Tensors of equal name and shape are taken, the others are listed."""

    @property
    def published_mesh(self) -> Path | None:
        """The published coarse mesh that the network was told to use, if it has any."""
        return None

    def build(self, given: Surroundings) -> HandNetwork:
        """Build the network on the CPU."""
        raise NotImplementedError
