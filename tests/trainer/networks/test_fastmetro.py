"""FastMETRO: its released names and sizes, and the properties of its prediction."""

import json
from pathlib import Path

import pytest
import torch

from tests.support.small_hands import open_hand, open_hand_mesh, small_fastmetro
from trainer.networks.attention import recorded_attention
from trainer.networks.fastmetro import NUM_LAYERS, FastMetro, attention_mask

PUBLISHED = {"FastMETRO-S-R50": ("resnet50", "S"), "FastMETRO-L-H64": ("hrnet_w64", "L")}
CLASSIFIER_OF_HRNET = {"backbone.classifier.weight", "backbone.classifier.bias"}


def unallocated(backbone: str, size: str) -> FastMetro:
    """The full network without memory behind its parameters, for counting."""
    model, mesh, num_layers = open_hand(), open_hand_mesh(), NUM_LAYERS[size]
    with torch.device("meta"):
        return FastMetro(model, mesh, backbone=backbone, pretrained=False, num_layers=num_layers)


def count(network: FastMetro, *, without_backbone: bool = False) -> int:
    return sum(
        parameter.numel()
        for name, parameter in network.named_parameters()
        if not (without_backbone and name.startswith("backbone."))
    )


@pytest.mark.parametrize("release", PUBLISHED)
def test_names_and_shapes_are_those_of_the_released_weights(release: str, assets: Path) -> None:
    backbone, size = PUBLISHED[release]
    table = json.loads((assets / "fastmetro_state_dict.json").read_text())[release]
    shapes = {name: list(value.shape) for name, value in unallocated(backbone, size).state_dict().items()}
    assert table.keys() - shapes.keys() == (CLASSIFIER_OF_HRNET if backbone == "hrnet_w64" else set())
    assert shapes == {name: table[name] for name in shapes}


@pytest.mark.parametrize(("size", "expected"), [("S", 9_179_782), ("M", 16_999_046), ("L", 24_818_310)])
def test_transformers_have_the_published_number_of_parameters(size: str, expected: int) -> None:
    assert count(unallocated("resnet50", size), without_backbone=True) == expected


def test_the_largest_network_has_153_million_parameters() -> None:
    """152.9 million in the paper, which counts the classifier that nobody uses."""
    unused_classifier = 1000 * 2048 + 1000
    assert count(unallocated("hrnet_w64", "L")) + unused_classifier == 152_878_254


def test_all_points_of_a_prediction_are_one_hand() -> None:
    network = small_fastmetro().eval()
    hand = network(torch.rand(2, 3, 64, 96))
    assert hand.coarse_verts_m is not None
    assert network.coarse_vert_ids is not None
    torch.testing.assert_close(hand.verts_m[:, network.coarse_vert_ids], hand.coarse_verts_m)
    joints_m = torch.stack([torch.tensor(open_hand().joint_regressor) @ verts_m for verts_m in hand.verts_m])
    torch.testing.assert_close(hand.joints_m, joints_m)


def test_training_starts_with_a_hand_in_the_crop() -> None:
    """Points start within a hand's size of the origin, and the camera looks at it from the front."""
    hand = small_fastmetro()(torch.rand(4, 3, 64, 64))
    assert hand.token_joints_m is not None
    assert hand.token_joints_m.norm(dim=2).mean() < 0.15
    assert ((hand.camera[:, 0] > 4) & (hand.camera[:, 0] < 12)).all()


def test_joints_look_at_everything_and_vertices_at_joints_and_neighbours() -> None:
    forbidden = attention_mask(open_hand_mesh(), num_joints=21)
    assert not forbidden[:21].any()
    assert not forbidden[:, :21].any()
    assert not forbidden.diagonal().any()
    assert torch.equal(~forbidden[21:, 21:], torch.tensor(open_hand_mesh().neighbours))


def test_attention_of_joints_to_the_image_can_be_looked_at() -> None:
    """What the paper's Fig. 3 shows: for every joint and vertex, a weight per image cell."""
    network = small_fastmetro().eval()
    with recorded_attention(network) as maps:
        network(torch.rand(1, 3, 64, 96))
    assert maps["transformer_2.decoder.layers.0.multihead_attn"].shape == (1, 8, 21 + 195, 2 * 3)
    attention = maps["transformer_1.decoder.layers.0.self_attn"]
    assert (attention[:, :, network.forbidden] == 0).all()
