"""Backbones: what they promise about their feature map, and what is said when there is none."""

from pathlib import Path
from urllib.error import URLError

import pytest
import timm
import torch
from torch import nn

from shared.errors import ConfigError
from trainer.networks.backbones import feature_backbone


@pytest.mark.parametrize(
    ("name", "channels", "stride"),
    [("mobilenet_v2", 1280, 32), ("resnet18", 512, 32), ("test_resnet", 96, 32)],
)
def test_channels_and_stride_are_those_of_the_feature_map(name: str, channels: int, stride: int) -> None:
    backbone = feature_backbone(name, pretrained=False)
    assert (backbone.channels, backbone.stride) == (channels, stride)
    features = backbone.module.eval()(torch.zeros(1, 3, 128, 160))
    assert features.shape == (1, channels, 128 // stride, 160 // stride)


def test_looking_at_the_feature_map_leaves_no_trace() -> None:
    module = feature_backbone("mobilenet_v2", pretrained=False).module
    assert module.training
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            assert part.num_batches_tracked == 0


def test_no_classifier_is_left_to_train() -> None:
    """Unused parameters get no gradient, which stops distributed training."""
    for name in ("resnet18", "test_resnet"):
        module = feature_backbone(name, pretrained=False).module
        module(torch.rand(2, 3, 64, 64)).sum().backward()
        assert all(parameter.grad is not None for parameter in module.parameters())


def test_a_misspelt_backbone_is_corrected() -> None:
    with pytest.raises(ConfigError, match=r"found resnet_101.*Did you mean .*resnet101"):
        feature_backbone("resnet_101", pretrained=False)


@pytest.mark.parametrize(
    "name", ["vit_b_32", "shufflenet_v2_x0_5", "swin_t", "test_vit", "swin_tiny_patch4_window7_224"]
)
def test_networks_without_a_feature_map_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"model\.backbone: expected .* Choose"):
        feature_backbone(name, pretrained=False)


def test_imagenet_weights_are_the_published_ones(assets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = assets / "backbones" / "mobilenet_v2-b0353104.pth"

    def read(url: str, **_: object) -> object:
        assert url.endswith(path.name)
        return torch.load(path, weights_only=True)

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", read)
    module = feature_backbone("mobilenet_v2", pretrained=True).module
    published = torch.load(path, weights_only=True)
    torch.testing.assert_close(module.state_dict()["0.0.weight"], published["features.0.0.weight"])


@pytest.mark.parametrize("name", ["mobilenet_v2", "test_resnet"])
def test_weights_that_cannot_be_downloaded_are_a_clear_error(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise URLError("no network")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", no_network)
    monkeypatch.setattr(timm, "create_model", no_network)
    with pytest.raises(ConfigError, match=r"no network.*model\.pretrained = false"):
        feature_backbone(name, pretrained=True)
