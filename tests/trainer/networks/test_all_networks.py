"""What every network promises to training; more of those with a coarse mesh."""

import pytest
import torch

from tests.support.small_hands import MESH_NETWORKS, SMALL_NETWORKS
from trainer.networks.base import HandNetwork
from trainer.types import HandPrediction

BACKBONES = ("backbone.", "pyramid.")
"""Where networks keep them, with a dot."""


@pytest.fixture(params=SMALL_NETWORKS)
def network(request: pytest.FixtureRequest) -> HandNetwork:
    return SMALL_NETWORKS[request.param]()


@pytest.fixture(params=MESH_NETWORKS)
def mesh_network(request: pytest.FixtureRequest) -> HandNetwork:
    return MESH_NETWORKS[request.param]()


def tensors(hand: HandPrediction) -> list[torch.Tensor]:
    return [value for value in hand if value is not None]


@pytest.mark.parametrize("batch", [1, 3])
def test_a_prediction_has_all_its_parts(network: HandNetwork, batch: int) -> None:
    hand = network.eval()(torch.rand(batch, 3, 64, 96))
    shapes = [tuple(value.shape) for value in (hand.verts_m, hand.joints_m, hand.camera)]
    assert shapes == [(batch, 778, 3), (batch, 21, 3), (batch, 3)]


def test_a_coarse_mesh_comes_with_its_vertices(mesh_network: HandNetwork) -> None:
    hand = mesh_network.eval()(torch.rand(2, 3, 64, 96))
    assert hand.coarse_verts_m is not None
    assert hand.token_joints_m is not None
    assert mesh_network.coarse_vert_ids is not None
    assert hand.coarse_verts_m.shape == (2, 195, 3)
    assert hand.token_joints_m.shape == (2, 21, 3)
    assert mesh_network.coarse_vert_ids.shape == (195,)


def test_every_parameter_learns_unless_it_is_frozen(network: HandNetwork) -> None:
    """A parameter without a gradient would also stop distributed training."""
    torch.manual_seed(0)
    hand = network(torch.rand(4, 3, 64, 64))
    sum(value.square().sum() for value in tensors(hand)).backward()  # type: ignore[union-attr]
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            assert name.startswith(BACKBONES), name
            continue
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        if not name.startswith(BACKBONES):  # whose residual branches start closed
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


def test_training_drops_activations(mesh_network: HandNetwork) -> None:
    images = torch.rand(2, 3, 64, 64)
    assert not torch.equal(mesh_network(images).verts_m, mesh_network(images).verts_m)


def test_coordinates_keep_32_bits_under_autocast(network: HandNetwork) -> None:
    """In bfloat16 a wrist 10 cm away would move in steps of half a millimetre."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hand = network.eval()(torch.rand(1, 3, 64, 64))
    assert {value.dtype for value in tensors(hand)} == {torch.float32}


def test_constants_are_not_part_of_a_checkpoint(network: HandNetwork) -> None:
    statistics = {
        f"{name}.{statistic}"
        for name, module in network.named_modules()
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)
        for statistic, _ in module.named_buffers(recurse=False)
    }
    assert network.state_dict().keys() == {name for name, _ in network.named_parameters()} | statistics


def test_pictures_of_other_sizes_are_welcome(network: HandNetwork) -> None:
    assert network.eval()(torch.rand(1, 3, 128, 96)).verts_m.shape == (1, 778, 3)
