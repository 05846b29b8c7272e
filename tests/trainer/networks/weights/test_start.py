"""Any weights may be started from: what fits is taken, what does not is said, and nonsense is refused."""

import logging
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from shared.errors import CheckpointError
from shared.storage.publishing import publish
from tests.support.small_hands import open_hand, small_fastmetro
from tests.support.small_trained import TINY_FASTMETRO, TINY_REGRESSOR, write_run
from trainer.networks.build import build_network, coarse_mesh_hash
from trainer.networks.fastmetro import FastMetro, FastMetroModel
from trainer.networks.regressor import RegressorModel
from trainer.networks.weights.start import load_start_weights, read_start_weights
from trainer.run.checkpoint import WEIGHTS, load_weights

type State = dict[str, Tensor]


def released() -> State:
    """Weights of the small network, other than those that it starts with."""
    return {name: value + 1 for name, value in small_fastmetro().state_dict().items()}


def save(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def start(path: Path, *, is_chosen: bool = True) -> FastMetro:
    network = small_fastmetro()
    mesh = coarse_mesh_hash(network.coarse_vert_ids)
    load_start_weights(network, read_start_weights(path), open_hand(), coarse_mesh=mesh, is_chosen=is_chosen)
    return network


def same(first: State, second: State) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("around", ["nothing", "module.", "a checkpoint", "a classifier"])
def test_a_state_dict_of_somebody_else_is_taken_whole(tmp_path: Path, around: str) -> None:
    content: object = released()
    if around == "module.":
        content = {f"module.{name}": value for name, value in released().items()}
    elif around == "a checkpoint":
        content = {"epoch": 7, "state_dict": released(), "optimizer": {"lr": 1e-4}}
    elif around == "a classifier":
        content = released() | {"backbone.fc.bias": torch.zeros(3)}
    assert same(start(save(tmp_path / "state_dict.bin", content)).state_dict(), released())


def test_safetensors_are_taken_too(tmp_path: Path) -> None:
    save_file(released(), tmp_path / "model.safetensors")
    assert same(start(tmp_path / "model.safetensors").state_dict(), released())


@pytest.mark.parametrize("place", ["run", "checkpoint", "url"])
def test_a_run_and_a_checkpoint_are_taken_by_any_network_of_the_same_kind(tmp_path: Path, place: str) -> None:
    run = write_run(tmp_path / "run")
    best = run / "checkpoints" / "round-0000"
    if place == "url":
        names = [path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()]
        publish(run, f"file://{tmp_path}/copy", names)
    where = {"run": run, "checkpoint": best, "url": f"file://{tmp_path}/copy"}[place]
    torch.manual_seed(1)
    network = build_network(RegressorModel.model_validate({**TINY_REGRESSOR, "weights": where}), open_hand())
    expected = build_network(RegressorModel.model_validate(TINY_REGRESSOR), open_hand())
    load_weights(expected, best)
    assert same(network.state_dict(), expected.state_dict())


def test_another_network_takes_what_it_has_in_common_and_lists_the_rest(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A regressor's backbone under FastMETRO: its tokens have no part in it."""
    run = write_run(tmp_path / "run")
    section = FastMetroModel.model_validate({**TINY_FASTMETRO, "weights": run})
    with caplog.at_level(logging.INFO):
        network = build_network(section, open_hand())
    file = read_start_weights(run).tensors
    backbone = [name for name in network.state_dict() if name.startswith("backbone.")]
    assert all(torch.equal(network.state_dict()[name], file[name]) for name in backbone)
    (said,) = [record.message for record in caplog.records if "Starting from" in record.message]
    assert f"{len(backbone)} of {len(network.state_dict())} tensors" in said
    assert "keep their own start: cam_predictor.bias" in said
    assert "2 of the file are not used: head.bias, head.weight" in said


def test_another_shape_is_listed_and_left(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    state = released() | {"vertex_token_embed.weight": torch.zeros(431, 32)}
    with caplog.at_level(logging.INFO):
        network = start(save(tmp_path / "state_dict.bin", state))
    assert "1 have another shape: vertex_token_embed.weight" in caplog.text
    assert network.state_dict()["vertex_token_embed.weight"].shape != (431, 32)


def test_weights_that_nothing_will_train_have_to_be_whole(tmp_path: Path) -> None:
    state = released()
    del state["cam_token_embed.weight"]
    weights = read_start_weights(save(tmp_path / "state_dict.bin", state))
    with pytest.raises(CheckpointError, match=r"found 1 missing .* shape: cam_token_embed\.weight"):
        weights.require_whole(small_fastmetro())
    read_start_weights(save(tmp_path / "whole.bin", released())).require_whole(small_fastmetro())


def test_weights_of_something_else_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "state_dict.bin", {f"layer{number}": torch.zeros(2) for number in range(99)})
    with pytest.raises(CheckpointError, match="found nothing in common; its names: layer0") as error:
        start(path)
    assert len(str(error.value)) < 500


def test_tokens_of_an_unknown_or_another_coarse_mesh_are_refused(tmp_path: Path) -> None:
    """They have the same names and shapes, and would stand for other vertices."""
    with pytest.raises(CheckpointError, match="weights that do not say which"):
        start(save(tmp_path / "state_dict.bin", released()), is_chosen=False)
    save_file(released(), tmp_path / "model.safetensors", metadata={"coarse_mesh": "0123456789abcdef"})
    with pytest.raises(CheckpointError, match="found 0123456789abcdef"):
        start(tmp_path / "model.safetensors")


@pytest.mark.parametrize("content", [nn.Linear(2, 2), {"model": {"a": 1}}, [torch.zeros(2)]])
def test_a_file_that_is_no_state_dict_is_a_clear_error(tmp_path: Path, content: object) -> None:
    with pytest.raises(CheckpointError, match="expected weights to start from"):
        start(save(tmp_path / "model.bin", content))


def test_nothing_in_the_file_is_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (tmp_path / "harm",)

    with pytest.raises(CheckpointError, match="expected weights to start from"):
        start(save(tmp_path / "model.bin", {"a": Evil()}))
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("name", ["state_dict.bin", WEIGHTS])
@pytest.mark.parametrize("content", [None, b"", b"no weights"])
def test_a_missing_or_damaged_file_is_a_clear_error(tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=f"{name}: expected weights to start from"):
        start(tmp_path / name)
