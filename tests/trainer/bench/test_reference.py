"""The step that ours is measured beside computes the same numbers: otherwise speeds could not be compared."""

import pytest
import torch

from tests.support.small_hands import open_hand, open_hand_mesh
from trainer.bench.naive import random_batch
from trainer.bench.reference import ReferenceFastMetro, reference_loss
from trainer.config.sections import LossConfig
from trainer.networks.fastmetro import FastMetro
from trainer.objective.correlation import SelfCorrelationLoss
from trainer.objective.step import PassWeights, recycle_step
from trainer.objective.supervised import SupervisedLoss
from trainer.training.learner import term_weights


@pytest.fixture
def network() -> FastMetro:
    """Without dropout, whose random numbers come in another order, and without batch statistics of halves."""
    torch.manual_seed(0)
    return FastMetro(
        open_hand(),
        open_hand_mesh(),
        backbone="test_convnext",
        pretrained=False,
        num_layers=2,
        dims=(32, 16),
        dropout=0.0,
    ).train()


def test_the_reference_has_the_released_names_and_predicts_the_same(network: FastMetro) -> None:
    reference = ReferenceFastMetro(network)
    assert reference.state_dict().keys() == network.state_dict().keys()
    images = torch.rand(3, 3, 64, 96)
    torch.testing.assert_close(reference(images), network(images), atol=1e-6, rtol=1e-5)


def test_loss_and_gradients_of_both_steps_are_the_same_to_a_hundred_thousandth(network: FastMetro) -> None:
    reference = ReferenceFastMetro(network)
    data = random_batch(3, 64, num_verts=778).normalised()
    faces, weights = torch.from_numpy(open_hand().faces), term_weights(LossConfig())
    theirs = reference_loss(reference, data, faces=faces.long(), weights=weights)
    ours = recycle_step(
        network,
        data,
        supervised=SupervisedLoss(faces, weights, coarse_vert_ids=network.coarse_vert_ids),
        correlation=SelfCorrelationLoss(weights),
        weights=PassWeights(),
    ).total
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=0)
    ours.backward()
    theirs.backward()
    gradients = dict(reference.named_parameters())
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None
        largest = float(parameter.grad.abs().max())
        # Where the hand is counts for nothing, so that two biases have a gradient of rounding errors.
        torch.testing.assert_close(
            gradients[name].grad, parameter.grad, rtol=0, atol=1e-5 * max(largest, 10.0), msg=name
        )
