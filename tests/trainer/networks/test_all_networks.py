"""What every network with a coarse mesh promises to training."""

import pytest
import torch

from tests.support.small_hands import SMALL_NETWORKS
from trainer.networks.base import HandNetwork
from trainer.types import HandPrediction


@pytest.fixture(params=SMALL_NETWORKS)
def network(request: pytest.FixtureRequest) -> HandNetwork:
    return SMALL_NETWORKS[request.param]()


def tensors(hand: HandPrediction) -> list[torch.Tensor]:
    return [value for value in hand if value is not None]


@pytest.mark.parametrize("batch", [1, 3])
def test_a_prediction_has_all_its_parts(network: HandNetwork, batch: int) -> None:
    hand = network.eval()(torch.rand(batch, 3, 64, 96))
    shapes = [tuple(value.shape) for value in tensors(hand)]
    assert shapes == [(batch, 778, 3), (batch, 21, 3), (batch, 3), (batch, 195, 3), (batch, 21, 3)]
    assert network.coarse_vert_ids is not None
    assert network.coarse_vert_ids.shape == (195,)


def test_every_parameter_learns(network: HandNetwork) -> None:
    """A parameter without a gradient would also stop distributed training."""
    torch.manual_seed(0)
    hand = network(torch.rand(4, 3, 64, 64))
    sum(value.square().sum() for value in tensors(hand)).backward()  # type: ignore[union-attr]
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        if not name.startswith("backbone."):  # whose residual branches start closed
            assert parameter.grad.abs().max() > 0, name


def test_a_prediction_does_not_depend_on_the_rest_of_the_batch(network: HandNetwork) -> None:
    network.eval()
    images = torch.rand(3, 3, 64, 64)
    for alone, together in zip(tensors(network(images[1:2])), tensors(network(images)), strict=True):
        torch.testing.assert_close(alone, together[1:2], atol=1e-5, rtol=1e-4)


def test_a_trained_network_answers_the_same_twice(network: HandNetwork) -> None:
    network.eval()
    images = torch.rand(2, 3, 64, 64)
    for once, twice in zip(tensors(network(images)), tensors(network(images)), strict=True):
        assert torch.equal(once, twice)


def test_training_drops_activations(network: HandNetwork) -> None:
    images = torch.rand(2, 3, 64, 64)
    assert not torch.equal(network(images).verts_m, network(images).verts_m)


def test_coordinates_keep_32_bits_under_autocast(network: HandNetwork) -> None:
    """In bfloat16 a wrist 10 cm away would move in steps of half a millimetre."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hand = network.eval()(torch.rand(1, 3, 64, 64))
    assert {value.dtype for value in tensors(hand)} == {torch.float32}


def test_constants_are_not_part_of_a_checkpoint(network: HandNetwork) -> None:
    parameters_and_statistics = {name for name, _ in network.named_parameters()} | {
        name for name, _ in network.named_buffers() if name.startswith("backbone.")
    }
    assert network.state_dict().keys() == parameters_and_statistics


def test_pictures_of_other_sizes_are_welcome(network: HandNetwork) -> None:
    assert network.eval()(torch.rand(1, 3, 128, 96)).verts_m.shape == (1, 778, 3)
