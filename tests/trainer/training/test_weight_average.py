import pytest
import torch
from torch import nn

from trainer.networks.base import HandNetwork
from trainer.training.weight_average import WeightAverage


class OneLayer(HandNetwork):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1, bias=False)
        self.norm = nn.BatchNorm1d(1)
        nn.init.zeros_(self.layer.weight)


def weight(network: OneLayer) -> float:
    return network.layer.weight.item()


def averaged(average: WeightAverage) -> OneLayer:
    assert isinstance(average.network, OneLayer)
    return average.network


def test_the_mean_follows_the_weights_by_the_share_that_does_not_stay() -> None:
    learning = OneLayer()
    average = WeightAverage(learning, decay=0.75)
    nn.init.ones_(learning.layer.weight)
    for expected in (0.25, 0.4375):
        average.after_step(number=1000)
        assert weight(averaged(average)) == pytest.approx(expected)


def test_the_first_steps_forget_weights_that_have_learnt_nothing() -> None:
    learning = OneLayer()
    average = WeightAverage(learning, decay=0.999)
    nn.init.ones_(learning.layer.weight)
    average.after_step(number=0)
    assert weight(averaged(average)) == pytest.approx(0.9)


def test_batch_statistics_are_averaged_and_their_counts_copied() -> None:
    learning = OneLayer()
    average = WeightAverage(learning, decay=0.5)
    learning.norm(torch.tensor([[0.0], [20.0]]))
    assert learning.norm.running_mean is not None
    average.after_step(number=1000)
    found = averaged(average).norm
    assert found.running_mean is not None
    assert found.running_mean.item() == pytest.approx(learning.norm.running_mean.item() / 2)
    assert found.num_batches_tracked == learning.norm.num_batches_tracked


def test_the_mean_does_not_learn_and_is_ready_to_predict() -> None:
    average = WeightAverage(OneLayer(), decay=0.5)
    assert not average.network.training
    assert not any(parameter.requires_grad for parameter in average.network.parameters())
