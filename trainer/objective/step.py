"""One training step, in the order of the paper: predict, predict the twin, compare, weigh."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from trainer.objective.supervised import LossTerms, SelfCorrelationLoss, SupervisedLoss, TermWeights
from trainer.types import HandPrediction, PairedBatch


@dataclass(frozen=True, slots=True)
class PassWeights:
    """Weights of Eq. 11; without a second pass only alpha matters."""

    alpha: float = 1.0
    beta: float = 1.0
    gamma: float = 1.0


@dataclass(frozen=True, slots=True)
class StepLosses:
    """What a step costs; only `total` carries a graph.

    Attributes:
        total: Eq. 11, averaged over the photographs of the batch.
        per_sample: Eq. 11 for every photograph, to name the one that went wrong.
        original: Terms of Eq. 7-9 for the photographs; means, or None if they were not looked at.
        recycled: The same for the twins; None without twins.
        correlation: Terms of Eq. 3-5; None without twins.
    """

    total: Float[Tensor, ""]
    per_sample: Float[Tensor, " batch"]
    original: LossTerms | None
    recycled: LossTerms | None
    correlation: LossTerms | None


def recycle_step(
    network: nn.Module,
    batch: PairedBatch,
    *,
    supervised: SupervisedLoss,
    correlation: SelfCorrelationLoss,
    terms: TermWeights,
    weights: PassWeights,
) -> StepLosses:
    """Predict the photographs, predict their twins, compare both (Eq. 1, 2, 11).

    A sample without a twin adds to the first term only. The sum is divided by the number of photographs, not
    of twins, so that processes with equal batches average to the loss of the joined batch.

    Nothing here touches the optimiser, the device or the log, and nothing waits for the GPU.

    Args:
        network: Maps images to a HandPrediction.
        batch: Photographs, their twins, and the labels of both.
        supervised: Terms of Eq. 7-9, used for both passes.
        correlation: Terms of Eq. 3-5.
        terms: Weights of the terms within Eq. 6 and Eq. 10.
        weights: Alpha, beta and gamma.
    """
    original, recycled = _predict(network, batch, weights)
    per_sample = torch.zeros(len(batch.photos), device=batch.photos.device)
    original_terms = recycled_terms = correlation_terms = None
    if original is not None:
        original_terms = supervised(original, batch.target)
        per_sample = per_sample + weights.alpha * original_terms.weighted(terms)
    if recycled is not None:
        recycled_terms = supervised(recycled, batch.twin_target)
        twin_loss = weights.beta * recycled_terms.weighted(terms)
        if original is not None:
            correlation_terms = correlation(original.rows(batch.twin_rows), recycled)
            twin_loss = twin_loss + weights.gamma * correlation_terms.weighted(terms)
        per_sample = per_sample.index_add(0, batch.twin_rows, twin_loss)
    return StepLosses(
        total=per_sample.mean(),
        per_sample=per_sample.detach(),
        original=original_terms.mean() if original_terms else None,
        recycled=recycled_terms.mean() if recycled_terms else None,
        correlation=correlation_terms.mean() if correlation_terms else None,
    )


def _predict(
    network: nn.Module, batch: PairedBatch, weights: PassWeights
) -> tuple[HandPrediction | None, HandPrediction | None]:
    """Run both passes of the paper as one forward pass over the joined batch.

    Batch normalisation then trains with the statistics of photographs and renders together, which are also
    what its running averages converge to and what inference uses. Two passes would normalise each kind of
    picture by itself in training, and by a mixture that neither pass has ever seen at inference. One pass is
    also one forward per backward, which is what distributed training expects, and faster.
    """
    num_photos, num_twins = len(batch.photos), len(batch.twins)
    if num_twins == 0:  # all quarantined, perhaps: every process has something to differentiate all the same
        return _in_float32(network(batch.photos)), None
    if weights.alpha == 0 and weights.gamma == 0:  # Table 3: photographs must not even enter the statistics
        return None, _in_float32(network(batch.twins))
    both = _in_float32(network(torch.cat((batch.photos, batch.twins))))
    return both.rows(slice(num_photos)), both.rows(slice(num_photos, None))


def _in_float32(prediction: HandPrediction) -> HandPrediction:
    """Compare in 32 bits whatever the network computed in: a millimetre is 0.001 and bf16 has 8 bits."""
    return prediction.each(Tensor.float)
