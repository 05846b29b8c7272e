import pytest
import torch
from torch import nn

from shared.errors import ConfigError
from tests.support.small_hands import SEQUENCE_BACKBONE, TINY_BACKBONE
from trainer.networks.backbones import FeatureBackbone
from trainer.networks.joint_reader import feature_pyramid
from trainer.networks.joint_reader.feature_pyramid import STRIDES, FeaturePyramid
from trainer.networks.joint_reader.network import JointReaderModel


def pyramid(backbone: str = SEQUENCE_BACKBONE, *, frozen_stride: int = 4) -> FeaturePyramid:
    torch.manual_seed(0)
    return FeaturePyramid(backbone, pretrained=False, frozen_stride=frozen_stride)


def crops() -> torch.Tensor:
    return torch.randn(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("backbone", [SEQUENCE_BACKBONE, "mobilenet_v2", "resnet18"])
def test_maps_come_finest_first_with_the_channels_that_are_told(backbone: str) -> None:
    network = pyramid(backbone).eval()
    with torch.no_grad():
        maps = network(crops())
    expected = [(2, network.channels[stride], 64 // stride, 96 // stride) for stride in STRIDES]
    assert [tuple(features.shape) for features in maps] == expected


def test_the_coarsest_cell_is_what_the_configuration_asks_of_a_crop() -> None:
    assert STRIDES[-1] == JointReaderModel.input_multiple_px


def test_the_layer_that_is_for_the_classifier_is_left_out() -> None:
    """MobileNetV2 widens 320 channels to 1280 in its last layer."""
    assert pyramid("mobilenet_v2").channels == {2: 16, 4: 24, 8: 32, 16: 96, 32: 320}


def test_frozen_stages_do_not_change_in_training() -> None:
    """Neither weights nor batch statistics. MobileNetV2 reaches stride 4 with its fourth layer."""
    network = pyramid("mobilenet_v2")
    frozen, learning = network.layers[:4], network.layers[4:7]
    before = {name: value.clone() for name, value in frozen.state_dict().items()}
    torch.stack([features.sum() for features in network(crops())]).sum().backward()
    assert all(parameter.grad is None for parameter in frozen.parameters())
    assert all(parameter.grad is not None for parameter in learning.parameters())
    for name, value in frozen.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_without_a_frozen_stride_all_stages_learn() -> None:
    network = pyramid(frozen_stride=0).train()
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert all(module.training for module in network.modules())


def test_a_backbone_that_is_no_sequence_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.backbone: expected a sequence of layers, found ResNet"):
        pyramid(TINY_BACKBONE)


def test_a_backbone_without_all_strides_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = nn.Sequential(nn.Conv2d(3, 8, 16, stride=16), nn.Conv2d(8, 16, 2, stride=2))
    built = FeatureBackbone(layers, channels=16, stride=32)
    monkeypatch.setattr(feature_pyramid, "feature_backbone", lambda *_, **__: built)
    with pytest.raises(ConfigError, match=r"expected maps of strides \(8, 16, 32\), found none of \[8\]"):
        pyramid("coarse")


def test_a_folded_backbone_has_no_batch_norm_and_still_freezes_its_first_stages() -> None:
    pyramid = FeaturePyramid(SEQUENCE_BACKBONE, pretrained=False, frozen_stride=4, folded=True)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in pyramid.modules())
    learns = [(name, parameter.requires_grad) for name, parameter in pyramid.named_parameters()]
    assert learns[0] == ("layers.0.0.weight", False)
    assert learns[1] == ("layers.0.0.bias", False)
    assert learns[-1][1]


def test_a_folded_backbone_is_loaded_from_its_own_weights() -> None:
    first, second = (
        FeaturePyramid(SEQUENCE_BACKBONE, pretrained=False, frozen_stride=4, folded=True).eval()
        for _ in range(2)
    )
    second.load_state_dict(first.state_dict())
    pictures = torch.randn(1, 3, 64, 64)
    for one, other in zip(first(pictures), second(pictures), strict=True):
        torch.testing.assert_close(one, other)
