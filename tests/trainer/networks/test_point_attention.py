"""Attention from joints to vertices, as the networks themselves compute it."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from shared.errors import ConfigError
from shared.types import NUM_JOINTS
from tests.support.small_hands import SMALL_NETWORKS, open_hand_mesh, small_fastmetro
from tests.support.small_trained import INPUT_PX, tiny_trained
from trainer.networks.point_attention import joint_attention, point_attention_layers

IMAGES = torch.randn(2, 3, INPUT_PX, INPUT_PX, generator=torch.Generator().manual_seed(0))
NUM_COARSE = len(open_hand_mesh())


@pytest.mark.parametrize(("name", "expected"), [("FastMETRO", 2), ("METRO", 4), ("Mesh Graphormer", 4)])
def test_all_layers_between_points_are_found_and_their_rows_are_shares(name: str, expected: int) -> None:
    """Tiny ones: two transformers with a decoder layer each; two blocks of two layers."""
    network = SMALL_NETWORKS[name]().eval()
    layers = point_attention_layers(network)
    assert len(layers) == expected
    for layer in layers:
        found = joint_attention(network, IMAGES, layer=layer, num_coarse=NUM_COARSE)
        assert found.shape == (2, NUM_JOINTS, NUM_COARSE)
        assert found.min() > 0, "a joint may look at every vertex"
        assert 0 < found.sum(dim=2).max() < 1, "joints get the rest"


def test_the_mean_over_heads_is_that_of_softmaxed_products() -> None:
    """By hand, from the weights of FastMETRO's last self-attention and what goes into it."""
    network = small_fastmetro().eval()
    layer = point_attention_layers(network)[-1]
    attention = network.get_submodule(layer)
    assert isinstance(attention, nn.MultiheadAttention)
    seen: list[Tensor] = []
    hook = attention.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    found = joint_attention(network, IMAGES, layer=layer, num_coarse=NUM_COARSE)
    hook.remove()
    projected = seen[0] @ attention.in_proj_weight.T + attention.in_proj_bias
    queries, keys, _ = (
        part.unflatten(2, (attention.num_heads, -1)).transpose(1, 2) for part in projected.chunk(3, dim=2)
    )
    scores = queries @ keys.transpose(2, 3) / math.sqrt(queries.shape[-1])
    expected = scores[:, :, :NUM_JOINTS].softmax(dim=3).mean(dim=1)[..., NUM_JOINTS:]
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-4)


def test_a_network_without_attention_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"found a HandRegressor\. Give a run of FastMETRO"):
        point_attention_layers(tiny_trained().network)


def test_the_mesh_has_the_attention_of_its_coarse_vertices() -> None:
    """The matrix of the coarse mesh keeps the vertices that it was made from."""
    values = np.random.default_rng(0).uniform(size=NUM_COARSE)
    mesh = open_hand_mesh()
    np.testing.assert_allclose((mesh.upsampling @ values)[mesh.vert_ids], values, atol=1e-6)
