"""METRO and Mesh Graphormer: what their tokens see, and their sizes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.support.small_hands import open_hand, open_hand_mesh, small_graphormer, small_metro
from trainer.hands.posing import PosedHand
from trainer.networks.metro import Graphormer, Metro
from trainer.networks.template_tokens import HandReadout, TemplateTokens
from trainer.networks.token_encoder import EncoderSizes, GraphResidual, TokenEncoder


@pytest.mark.parametrize(
    ("kind", "in_encoder", "in_all"),
    [(Metro, 58_347_398, 184_543_837), (Graphormer, 40_467_334, 170_866_272)],
)
def test_number_of_parameters(kind: type[Metro | Graphormer], in_encoder: int, in_all: int) -> None:
    """The publications count 41 million word embeddings more, which nothing uses."""
    model, mesh = open_hand(), open_hand_mesh()
    with torch.device("meta"):
        network = kind(model, mesh, pretrained=False)
    assert sum(parameter.numel() for parameter in network.encoder.parameters()) == in_encoder
    assert sum(parameter.numel() for parameter in network.parameters()) == in_all


def test_a_layer_is_berts() -> None:
    """BERT's layer is PyTorch's own post-norm layer with GELU."""
    encoder = TokenEncoder(7, EncoderSizes(hidden_dims=(16, 8), num_layers=1), feedforward=4).eval()
    layer = encoder.get_submodule("0.layers.0")
    reference = nn.TransformerEncoderLayer(
        16, 4, 64, activation="gelu", batch_first=True, layer_norm_eps=1e-12
    ).eval()
    names = {name: name.replace("attention.", "self_attn.") for name in layer.state_dict()}
    reference.load_state_dict({names[name]: value for name, value in layer.state_dict().items()})
    tokens = torch.rand(2, 5, 16)
    torch.testing.assert_close(layer(tokens), reference(tokens))


def test_tokens_are_the_template_seen_from_its_wrist_beside_the_image() -> None:
    tokens = TemplateTokens(open_hand(), open_hand_mesh(), masked_share=0.0)(torch.rand(2, 5))
    assert tokens.shape == (2, 21 + 195, 3 + 5)
    assert (tokens[:, 0, :3] == 0).all()
    moved = replace(open_hand(), template_m=open_hand().template_m + 1)
    again = TemplateTokens(moved, open_hand_mesh(), masked_share=0.0)(torch.zeros(1, 5))
    torch.testing.assert_close(again[0, :, :3], tokens[0, :, :3], atol=1e-6, rtol=0)


def test_the_template_is_in_its_mean_pose() -> None:
    """As METRO's is: MANO's layer adds the mean pose to a pose of zero, and the fingers are bent."""
    model = open_hand()
    bent = replace(model, mean_pose=np.full(45, 0.2, dtype=np.float32))
    found = TemplateTokens(bent, open_hand_mesh(), masked_share=0.0).template_m
    posed = PosedHand(bent)(torch.zeros(1, 48), torch.zeros(1, model.num_shapes))
    torch.testing.assert_close(found[:21], (posed.joints_m - posed.joints_m[:, :1])[0])
    flat = TemplateTokens(model, open_hand_mesh(), masked_share=0.0).template_m
    assert (found - flat).norm(dim=1).max() > 0.01


def test_joints_and_vertices_are_blotted_out_by_their_own_shares() -> None:
    """METRO's data loader masks `int(u * share * count)` joints, and likewise vertices."""
    torch.manual_seed(0)
    tokens = TemplateTokens(open_hand(), open_hand_mesh(), masked_share=0.05).train()
    masked = (tokens(torch.rand(2000, 5)) == 0.01).all(dim=2)
    joints, verts = masked[:, :21].sum(dim=1), masked[:, 21:].sum(dim=1)
    assert set(joints.tolist()) == {0, 1}, "int(u * 1.05)"
    assert set(verts.tolist()) == set(range(10)), "int(u * 9.75)"
    assert 0.01 < (joints == 1).float().mean() < 0.1


def test_graph_convolutions_start_as_mesh_graphormers_do() -> None:
    """Its own layers are not reached by BERT's initialisation: 1 / (in x out), and 6 / sqrt(in + out)."""
    encoder = TokenEncoder(
        7, EncoderSizes(hidden_dims=(16, 8), num_layers=1), feedforward=2, neighbours=torch.eye(3).bool()
    )
    graph = encoder.get_submodule("1.layers.0.graph")
    assert isinstance(graph, GraphResidual)
    for layer, limit in ((graph.narrow, 1 / 32), (graph.widen, 1 / 32), (graph.convolution, 6 / 8**0.5)):
        for numbers in (layer.weight, layer.bias):
            assert 0.5 * limit < numbers.abs().max() <= limit


def test_only_training_blots_out_tokens_and_not_more_than_allowed() -> None:
    torch.manual_seed(0)
    tokens = TemplateTokens(open_hand(), open_hand_mesh(), masked_share=0.5)
    image = torch.rand(64, 5)
    masked = (tokens.train()(image) == 0.01).all(dim=2).float().mean(dim=1)
    assert 0.15 < masked.mean() < 0.35
    assert masked.min() < 0.1
    assert masked.max() < 0.65
    assert not (tokens.eval()(image) == 0.01).all(dim=2).any()


def test_a_graph_convolution_reaches_neighbours_only() -> None:
    torch.manual_seed(0)
    neighbours = torch.tensor([[1, 1, 0], [1, 1, 1], [0, 1, 1]], dtype=torch.bool)
    graph = GraphResidual(8, neighbours, num_joints=2)
    tokens = torch.rand(1, 2 + 3 + 4, 8)
    other = tokens.clone()
    other[:, 2] += torch.rand(8)
    changed = (graph(tokens) - graph(other)).abs().amax(dim=(0, 2)) > 0
    assert changed.tolist() == [False, False, True, True, False, False, False, False, False]


def test_joints_and_image_cells_pass_a_graph_convolution_unchanged() -> None:
    graph = GraphResidual(8, torch.eye(3, dtype=torch.bool), num_joints=2)
    tokens = torch.rand(1, 2 + 3 + 4, 8)
    assert torch.equal(graph(tokens)[:, :2], tokens[:, :2])
    assert torch.equal(graph(tokens)[:, 5:], tokens[:, 5:])
    assert not torch.allclose(graph(tokens)[:, 2:5], tokens[:, 2:5])


def test_only_graphormer_sees_where_in_the_image_something_is() -> None:
    """METRO averages the feature map; Graphormer has a token for each of its cells."""
    images = functional.interpolate(torch.rand(1, 3, 2, 3), scale_factor=32)  # one colour per cell
    for network, sees in ((small_metro(), False), (small_graphormer(), True)):
        network.backbone = nn.Conv2d(3, 96, kernel_size=32, stride=32)
        for module in network.modules():  # as training would: tokens hardly look at each other at first
            if isinstance(module, nn.MultiheadAttention):
                nn.init.normal_(module.in_proj_weight)
                nn.init.normal_(module.out_proj.weight)
        network.eval()
        straight, turned = network(images), network(images.flip(3))
        assert torch.allclose(straight.verts_m, turned.verts_m, atol=1e-6) != sees


def test_up_sampling_starts_from_the_matrix_and_learns() -> None:
    readout = HandReadout(open_hand(), open_hand_mesh())
    template_m = torch.tensor(open_hand().template_m)
    joints_m = torch.tensor(open_hand().joint_regressor) @ template_m
    hand = readout(torch.cat([joints_m, template_m[open_hand_mesh().vert_ids]])[None])
    assert (hand.verts_m[0] - template_m).norm(dim=1).mean() < 0.1e-3
    assert all(parameter.requires_grad for parameter in readout.upsampling.parameters())
