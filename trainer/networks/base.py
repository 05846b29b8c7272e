"""What every network is: crops in, hands out."""

from jaxtyping import Float, Int64
from torch import Tensor, nn

from trainer.types import HandPrediction


class HandNetwork(nn.Module):
    """Anything that maps normalised crops to hands.

    Attributes:
        coarse_vert_ids: Vertices that the coarse mesh keeps, in its order; None without a coarse mesh.
    """

    coarse_vert_ids: Int64[Tensor, " coarse"] | None

    def __init__(self, *, coarse_vert_ids: Int64[Tensor, " coarse"] | None = None) -> None:
        super().__init__()
        self.register_buffer("coarse_vert_ids", coarse_vert_ids, persistent=False)

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> HandPrediction:
        """Predict one hand per crop."""
        raise NotImplementedError

    def __call__(self, images: Float[Tensor, "batch 3 height width"]) -> HandPrediction:
        """Predict one hand per crop."""
        prediction: HandPrediction = super().__call__(images)
        return prediction
