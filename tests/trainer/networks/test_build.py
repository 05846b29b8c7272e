"""From the table [model] to a network."""

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from shared.errors import CheckpointError
from tests.support.small_hands import SEQUENCE_BACKBONE, TINY_BACKBONE, open_hand, open_hand_mesh
from trainer.networks import regressor as regressor_module
from trainer.networks.build import build_network
from trainer.networks.coarse import section
from trainer.networks.config import ModelConfig
from trainer.networks.fastmetro import FastMetro
from trainer.networks.joint_reader.network import JointReader
from trainer.networks.metro import Graphormer, Metro
from trainer.networks.regressor import HandRegressor


@pytest.fixture(autouse=True)
def _ready_mesh(monkeypatch: pytest.MonkeyPatch) -> None:
    mesh = open_hand_mesh()
    monkeypatch.setattr(section, "coarse_mesh", lambda *_, **__: mesh)


def table(**fields: Any) -> ModelConfig:
    adapter: TypeAdapter[ModelConfig] = TypeAdapter(ModelConfig)
    return adapter.validate_python({"backbone": TINY_BACKBONE, "pretrained": False, **fields})


@pytest.mark.parametrize(
    ("name", "kind"),
    [("regressor", HandRegressor), ("fastmetro", FastMetro), ("metro", Metro), ("graphormer", Graphormer)],
)
def test_every_name_is_a_network(name: str, kind: type) -> None:
    model = open_hand()
    with torch.device("meta"):
        assert isinstance(build_network(table(name=name), model), kind)


def test_sizes_and_frozen_stages_reach_the_joint_reader() -> None:
    config = table(name="joint_reader", backbone=SEQUENCE_BACKBONE, channels=24, frozen_stride=0)
    with torch.device("meta"):
        network = build_network(config, open_hand())
    assert isinstance(network, JointReader)
    assert network.heat.in_channels == 24
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_the_default_fastmetro_is_the_papers() -> None:
    config = table(name="fastmetro", backbone="hrnet_w64")
    with torch.device("meta"):
        network = build_network(config, open_hand())
    in_transformers = [
        value for name, value in network.named_parameters() if not name.startswith("backbone.")
    ]
    assert sum(value.numel() for value in in_transformers) == 24_818_310


def test_sizes_and_dropout_reach_the_network() -> None:
    network = build_network(table(name="fastmetro", size="M", dims=(32, 16), dropout=0.25), open_hand())
    assert isinstance(network, FastMetro)
    assert len(network.transformer_1.decoder.layers) == 2
    assert network.xyz_regressor.in_features == 16
    for transformer in (network.transformer_1, network.transformer_2):
        assert {part.p for part in transformer.modules() if isinstance(part, torch.nn.Dropout)} == {0.25}


def test_released_weights_are_read_at_the_start_only(tmp_path: Path) -> None:
    files = {"weights": tmp_path / "state_dict.bin", "coarse_mesh": tmp_path / "mano_downsampling.npz"}
    config = table(name="fastmetro", size="S", dims=(32, 16), **files)
    with pytest.raises(CheckpointError, match=r"state_dict\.bin"):
        build_network(config, open_hand())
    build_network(config, open_hand(), from_checkpoint=True)


def test_imagenet_weights_are_not_fetched_for_a_checkpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trained network must load on a machine without a network."""
    asked_for: list[bool] = []

    def regressor(*arguments: Any, pretrained: bool, **options: Any) -> HandRegressor:
        asked_for.append(pretrained)
        return HandRegressor(*arguments, pretrained=False, **options)

    monkeypatch.setattr(regressor_module, "HandRegressor", regressor)
    for from_checkpoint in (False, True):
        build_network(table(name="regressor", pretrained=True), open_hand(), from_checkpoint=from_checkpoint)
    assert asked_for == [True, False]


@pytest.mark.parametrize("wrong", [{"size": "XL"}, {"dropout": 1.0}, {"dims": (512,)}, {"layers": 3}])
def test_what_fastmetro_does_not_have_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        table(name="fastmetro", **wrong)
