"""One training step, in the order of the paper: predict, predict the twin, compare, weigh."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from trainer.objective.correlation import SelfCorrelationLoss
from trainer.objective.supervised import SupervisedLoss
from trainer.objective.terms import LossTerms, mean_of
from trainer.types import HandPrediction, PairedBatch


@dataclass(frozen=True, slots=True)
class PassWeights:
    """Weights of the three losses; without a second pass only alpha matters."""

    alpha: float = 1.0
    beta: float = 1.0
    gamma: float = 1.0

    @property
    def only_twins_count(self) -> bool:
        """Whether photographs are not learnt from, neither by their labels nor by their predictions."""
        return self.alpha == 0 and self.gamma == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLosses:
    """What a step costs; only `total` carries a graph.

    Attributes:
        total: The loss of the step, averaged over the photographs of the batch.
        per_sample: The same for every photograph, to name the one that went wrong.
        original: Supervised terms of the photographs; means, or None if they were not looked at.
        recycled: The same for the twins; None without twins.
        correlation: Terms between both; None without twins.
        drill: What hands without pictures cost, which `total` includes; None for networks without a drill.
    """

    total: Float[Tensor, ""]
    per_sample: Float[Tensor, " batch"]
    original: LossTerms | None
    recycled: LossTerms | None
    correlation: LossTerms | None
    drill: Float[Tensor, ""] | None = None

    @classmethod
    def joined(cls, parts: Sequence["StepLosses"]) -> "StepLosses":
        """Return the losses of a step that was computed in parts of equally many photographs."""
        if len(parts) == 1:
            return parts[0]
        drills = [part.drill for part in parts if part.drill is not None]
        return cls(
            total=torch.stack([part.total for part in parts]).mean(),
            per_sample=torch.cat([part.per_sample for part in parts]),
            original=mean_of([part.original for part in parts]),
            recycled=mean_of([part.recycled for part in parts]),
            correlation=mean_of([part.correlation for part in parts]),
            drill=torch.stack(drills).mean() if drills else None,
        )

    def plus_drill(self, cost: Float[Tensor, ""]) -> "StepLosses":
        """Return the losses of a step that learns from hands without pictures too."""
        return replace(self, total=self.total + cost, drill=cost.detach())


def recycle_step(
    network: nn.Module,
    batch: PairedBatch,
    *,
    supervised: SupervisedLoss,
    correlation: SelfCorrelationLoss,
    weights: PassWeights,
) -> StepLosses:
    """Predict the photographs, predict their twins, compare both.

    A sample without a twin adds to the first loss only, one without labels to the others only. The sum is
    divided by the number of photographs, not of twins or of labels, so that processes with equal batches
    average to the loss of the joined batch, and no sample counts for more because another lacks something.

    Nothing here touches the optimiser, the device or the log, and nothing waits for the GPU.

    Args:
        network: Maps images to a HandPrediction.
        batch: Photographs, their twins, and the labels of both.
        supervised: Compares a prediction with labels; used for both passes.
        correlation: Compares the prediction of a photograph with that of its twin.
        weights: Alpha, beta and gamma.
    """
    original, recycled = predict_both(network, batch, weights)

    supervised_recycled = supervised(recycled, batch.twin_target)
    twin_loss = weights.beta * supervised_recycled.total
    if original is None:
        supervised_original = agreement = None
        photo_loss = torch.zeros(len(batch.photos), device=batch.photos.device)
    else:
        supervised_original = supervised(original, batch.target)
        photo_loss = weights.alpha * supervised_original.total
        in_one_view = recycled if batch.twin_views is None else recycled.seen_with(batch.twin_views)
        agreement = correlation(original.rows(batch.twin_rows), in_one_view)
        twin_loss = twin_loss + weights.gamma * agreement.total

    # Eq. 11: L = alpha L_original + beta L_recycle + gamma L_correlation
    per_sample = photo_loss.index_add(0, batch.twin_rows, twin_loss)

    return StepLosses(
        total=per_sample.mean(),
        per_sample=per_sample.detach(),
        original=supervised_original.mean(batch.target.known) if supervised_original else None,
        recycled=supervised_recycled.mean(batch.twin_target.known),
        correlation=agreement.mean() if agreement else None,
    )


def predict_both(
    network: nn.Module, batch: PairedBatch, weights: PassWeights
) -> tuple[HandPrediction | None, HandPrediction]:
    """Run both passes of the paper as one forward pass over the joined batch.

    Batch normalisation then trains with the statistics of photographs and renders together, which are also
    what its running averages converge to and what inference uses. Two passes would normalise each kind of
    picture by itself in training, and by a mixture that neither pass has ever seen at inference. One pass is
    also one forward per backward, which is what distributed training expects, and faster.

    Returns:
        The hands in the photographs, None if only twins count; and those in the twins, of which there may be
        none at all: in a warm-up round, or where every render was quarantined.
    """
    if weights.only_twins_count and len(batch.twins):  # Table 3: photographs must not enter the statistics
        return None, _in_float32(network(batch.twins))
    # Joining an empty part would give up the layout in which the pictures come.
    pictures = torch.cat((batch.photos, batch.twins)).contiguous(memory_format=torch.channels_last)
    both = _in_float32(network(pictures))

    # Eq. 1: (J, V, cam) = network(photograph)
    original = both.rows(slice(len(batch.photos)))

    # Eq. 2: (J', V', cam') = network(twin), where the twin is a render of an earlier V on another background
    recycled = both.rows(slice(len(batch.photos), None))
    return original, recycled


def _in_float32(prediction: HandPrediction) -> HandPrediction:
    """Compare in 32 bits whatever the network computed in: a millimetre is 0.001 and bf16 has 8 bits."""
    return prediction.each(Tensor.float)
