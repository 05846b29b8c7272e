"""Packed weights go through the same door as a run, and start a training; others are refused in one line."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from cli import main
from shared.errors import CheckpointError, ConfigError, HandModelError
from tests.support.small_hands import SEQUENCE_BACKBONE, open_hand, small_joint_reader
from tests.support.small_trained import as_trained
from trainer.data.dataset import IMAGENET_MEAN, IMAGENET_SD
from trainer.evaluation.predict import predict_crops
from trainer.networks.build import build_network
from trainer.networks.joint_reader.network import JointReaderModel
from trainer.networks.weights import packed as module
from trainer.networks.weights.packed import (
    FORMAT,
    FRAME,
    HandModelName,
    PackedNetwork,
    load_packed,
    read_packed,
    write_packed,
)
from trainer.run.trained import load_trained

SECTION: dict[str, Any] = {"name": "joint_reader", "backbone": SEQUENCE_BACKBONE, "channels": 8}


def about(**changes: Any) -> PackedNetwork:
    fields: dict[str, Any] = {
        "network": SECTION,
        "input_px": 64,
        "crop_px": 150,
        "photograph_px": 200,
        "margin": 1.25,
        "scale": 1 / 255,
        "mean": IMAGENET_MEAN,
        "sd": IMAGENET_SD,
        "frame": FRAME,
        "hand_model": HandModelName(name=open_hand().name, sha256=open_hand().sha256),
        "licence": "none",
    }
    return PackedNetwork.model_validate({**fields, **changes})


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packed") / "weights.safetensors"
    write_packed(path, small_joint_reader(), about())
    return path


def test_a_packed_network_predicts_as_before_within_half_precision(packed: Path) -> None:
    rgb = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8))
    before = predict_crops(as_trained(small_joint_reader(), SECTION).network, rgb)
    trained = load_trained(packed, device="cpu")
    after = predict_crops(trained.network, rgb)
    np.testing.assert_allclose(after.verts_m, before.verts_m, atol=1e-3)
    np.testing.assert_allclose(after.joints_m, before.joints_m, atol=1e-3)
    np.testing.assert_allclose(after.cameras, before.cameras, rtol=1e-2, atol=1e-2)
    assert trained.config.data.input_px == 64
    assert trained.crop_share == 0.75
    assert trained.margin == 1.25
    assert trained.is_packed
    assert trained.weights_file == packed


def test_matrices_are_halved_and_statistics_are_not(packed: Path) -> None:
    """A variance below 6e-8 would become zero in half precision."""
    kinds = {value.dtype for value in load_file(packed).values() if value.dim() > 1}
    assert kinds == {torch.float16}
    tensors = load_file(packed)
    statistics = [value for name, value in tensors.items() if name.endswith("running_var")]
    assert statistics
    assert all(value.dtype == torch.float32 for value in statistics)


def test_equal_weights_make_equal_files(packed: Path, tmp_path: Path) -> None:
    write_packed(tmp_path / "again.safetensors", small_joint_reader(), about())
    assert (tmp_path / "again.safetensors").read_bytes() == packed.read_bytes()


def test_the_name_open_is_the_shipped_file_for_commands_and_for_trainings(
    packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "OPEN_FILE", packed)
    assert load_trained("open", device="cpu").source == packed
    network = build_network(JointReaderModel.model_validate({**SECTION, "weights": "open"}), open_hand())
    expected = load_file(packed)
    found = network.state_dict()
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value.to(found[name].dtype), msg=name)


def test_weights_that_a_checkpoint_will_replace_are_not_read() -> None:
    section = JointReaderModel.model_validate({**SECTION, "weights": "nowhere.safetensors"})
    build_network(section, open_hand(), from_checkpoint=True)
    with pytest.raises(CheckpointError, match="nowhere"):
        build_network(section, open_hand())


def test_without_shipped_weights_one_line_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OPEN_FILE", tmp_path / "absent.safetensors")
    (tmp_path / "hand.jpg").touch()
    result = CliRunner().invoke(main, ["predict", str(tmp_path / "hand.jpg"), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "open: expected the weights of the open model in the package, found none." in result.stderr


def test_weights_of_another_hand_are_one_clear_line(packed: Path) -> None:
    other = replace(open_hand(), name="another", sha256="1" * 64)
    with pytest.raises(HandModelError, match=r"expected its own hand, .*found another \(111111111111\)") as e:
        load_packed(small_joint_reader(), read_packed(packed), other)
    assert "\n" not in str(e.value)


def test_another_size_of_the_network_is_refused_where_it_is_used_and_a_start_where_it_is_trained(
    packed: Path,
) -> None:
    section = JointReaderModel.model_validate({**SECTION, "channels": 16, "weights": packed})
    network = build_network(section, open_hand())
    with pytest.raises(CheckpointError, match=r"of another shape.*\"channels\": 8"):
        load_packed(network, read_packed(packed), open_hand())


@pytest.mark.parametrize("change", ["cut", "checkpoint", "future", "unknown network"])
def test_files_that_are_no_packed_weights_are_refused(change: str, packed: Path, tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    if change == "cut":
        path.write_bytes(packed.read_bytes()[:-9])
    elif change == "checkpoint":
        save_file(load_file(packed), path, metadata={"format": "meshcycle-checkpoint-1"})
    elif change == "future":
        save_file(load_file(packed), path, metadata={FORMAT: json.dumps({"later": 1})})
    else:
        write_packed(path, small_joint_reader(), about(network={"name": "no_such_network"}))
    with pytest.raises((CheckpointError, ConfigError), match=r"bad\.safetensors: "):
        load_trained(path, device="cpu")


def test_the_header_tells_other_programs_how_to_use_it(packed: Path) -> None:
    with safe_open(packed, framework="np") as file:
        header = json.loads(file.metadata()[FORMAT])
    assert header["input_px"] == 64
    assert header["margin"] == 1.25
    assert header["hand_model"]["sha256"] == open_hand().sha256
    np.testing.assert_allclose(header["sd"], IMAGENET_SD)
