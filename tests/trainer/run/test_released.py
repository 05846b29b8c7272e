"""Weights that others released are scored, predicted with, drawn and trained from, without a run of ours."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from cli import main
from shared.errors import CheckpointError, HandModelError
from tests.support.published.metro_mesh import write_own_mesh
from tests.support.small_dataset import small_split
from tests.support.small_hands import open_hand
from tests.support.small_trained import TINY_FASTMETRO, config_of
from trainer.networks.build import build_network
from trainer.networks.fastmetro import FastMetro
from trainer.networks.named import NETWORKS
from trainer.run.released import Released
from trainer.run.trained import load_trained

NAME = "fastmetro-s-resnet50"


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state dict with random numbers, and a published mesh beside it; the named network is a tiny one."""
    monkeypatch.setitem(NETWORKS, NAME, TINY_FASTMETRO)
    up = np.random.default_rng(0).random((778, 195)).astype(np.float32) / 100
    write_own_mesh(tmp_path / "mano_downsampling.npz", model=open_hand(), up=up, order=np.arange(195))
    network = build_network(config_of(tmp_path, TINY_FASTMETRO).model, open_hand())
    torch.manual_seed(1)
    state = network.state_dict()
    for value in state.values():
        value.add_(0.01 * torch.rand(value.shape) if value.is_floating_point() else 1)
    torch.save(state, tmp_path / "state_dict.bin")
    return tmp_path / "state_dict.bin"


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    path = tmp_path / "hand.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (96, 96, 3), dtype=np.uint8)).save(path)
    return path


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(main, list(map(str, arguments)))


def test_released_weights_are_scored_in_one_command(weights: Path, tmp_path: Path) -> None:
    split = small_split(tmp_path / "data", "evaluation", num_images=3)
    result = invoke("evaluate", weights, "--network", NAME, "--data", split.root, "--device", "cpu", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["num_hands"] == 3


def test_fine_vertices_are_the_released_networks_own(weights: Path) -> None:
    trained = load_trained(weights, device="cpu", released=Released(NAME))
    assert isinstance(trained.network, FastMetro)
    up = np.load(weights.parent / "mano_downsampling.npz", allow_pickle=True)["U"][0].toarray()
    np.testing.assert_array_equal(trained.network.upsampling, up.astype(np.float32))
    state = torch.load(weights, weights_only=True)
    assert all(torch.equal(value, state[name]) for name, value in trained.network.state_dict().items())
    assert not trained.network.training


def test_photographs_are_predicted_and_drawn_with_released_weights(
    weights: Path, photograph: Path, tmp_path: Path
) -> None:
    out = tmp_path / "hands"
    options = ("--crop", "--checkpoint", weights, "--network", NAME, "--out", out)
    result = invoke("predict", photograph, *options)
    assert result.exit_code == 0, result.output
    assert (out / "hand-0-right.obj").exists()
    figure = tmp_path / "attention.png"
    result = invoke("figure", "attention", photograph, "--run", weights, "--network", NAME, "--out", figure)
    assert result.exit_code == 0, result.output
    assert figure.exists()


def test_training_starts_from_released_weights(weights: Path, tmp_path: Path) -> None:
    mesh = weights.parent / "mano_downsampling.npz"
    config = config_of(tmp_path, {**TINY_FASTMETRO, "weights": weights, "coarse_mesh": mesh})
    network = build_network(config.model, open_hand(), cache_dir=tmp_path)
    state = torch.load(weights, weights_only=True)
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


def test_what_a_file_does_not_say_must_be_given(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"found a file.*--network which network"):
        load_trained(weights, device="cpu")
    with pytest.raises(CheckpointError, match="expected the file of released weights beside --network"):
        load_trained(tmp_path, device="cpu", released=Released(NAME))
    (weights.parent / "mano_downsampling.npz").unlink()
    with pytest.raises(HandModelError, match=r"expected METRO's mano_downsampling\.npz beside it"):
        load_trained(weights, device="cpu", released=Released(NAME))
    result = invoke("evaluate", weights, "--coarse-mesh", "m.npz")
    assert result.exit_code == 2
    assert "--coarse-mesh goes with --network" in result.output


def test_a_published_mesh_needs_its_own_hand_model(weights: Path, tmp_path: Path) -> None:
    """Both hands have 778 vertices, so that everything would load, and be wrong without a word."""
    shuffled = np.random.default_rng(0).permutation(778).astype(np.int32)
    other = replace(open_hand(), faces=shuffled[open_hand().faces])
    mesh = write_own_mesh(tmp_path / "mano.npz", model=other, up=np.ones((778, 195)), order=np.arange(195))
    with pytest.raises(HandModelError, match=r"of its edges\. Give hand_model \(--hand-model\)"):
        load_trained(weights, device="cpu", released=Released(NAME, mesh))


@pytest.mark.slow
def test_a_file_of_exactly_the_released_form_is_scored(assets: Path, tmp_path: Path) -> None:
    """Names and shapes of FastMETRO-S-R50's file, with random numbers."""
    shapes = json.loads((assets / "fastmetro_state_dict.json").read_text())["FastMETRO-S-R50"]
    torch.manual_seed(0)
    state = {name: 0.02 * torch.randn(shape) for name, shape in shapes.items()}
    state |= {name: torch.ones(value.shape) for name, value in state.items() if name.endswith("running_var")}
    torch.save(state, tmp_path / "state_dict.bin")
    write_own_mesh(
        tmp_path / "mano_downsampling.npz",
        model=open_hand(),
        up=np.full((778, 195), 1 / 195),
        order=np.arange(195),
    )
    split = small_split(tmp_path / "data", "evaluation", num_images=1)
    result = invoke(
        "evaluate", tmp_path / "state_dict.bin", "--network", NAME, "--data", split.root, "--json"
    )
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["scores"]["mpjpe_mm"] > 0
