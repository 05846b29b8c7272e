"""Released weights load by their own names, or not at all."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from shared.errors import CheckpointError
from tests.support.small_hands import small_fastmetro
from trainer.networks.released_weights import load_released_weights

type State = dict[str, Tensor]


def released() -> State:
    """Weights of the small network, other than those that it starts with."""
    return {name: value + 1 for name, value in small_fastmetro().state_dict().items()}


def save(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def same(first: State, second: State) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(
    "extra", [{}, {"backbone.classifier.weight": torch.zeros(3)}, {"backbone.fc.bias": torch.zeros(3)}]
)
def test_a_released_state_dict_loads_without_its_classifier(tmp_path: Path, extra: State) -> None:
    network = small_fastmetro()
    load_released_weights(network, save(tmp_path / "state_dict.bin", released() | extra))
    assert same(network.state_dict(), released())


def test_names_of_distributed_training_load_too(tmp_path: Path) -> None:
    network = small_fastmetro()
    state = {f"module.{name}": value for name, value in released().items()}
    load_released_weights(network, save(tmp_path / "state_dict.bin", state))
    assert same(network.state_dict(), released())


def test_safetensors_load_too(tmp_path: Path) -> None:
    network = small_fastmetro()
    save_file(released(), tmp_path / "model.safetensors")
    load_released_weights(network, tmp_path / "model.safetensors")
    assert same(network.state_dict(), released())


def test_weights_of_another_network_are_refused_by_name(tmp_path: Path) -> None:
    network = small_fastmetro()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = released()
    del state["cam_token_embed.weight"]
    state["smpl_regressor.weight"] = torch.zeros(3)
    state["vertex_token_embed.weight"] = torch.zeros(431, 32)
    with pytest.raises(CheckpointError) as error:
        load_released_weights(network, save(tmp_path / "state_dict.bin", state))
    assert "1 missing (cam_token_embed.weight)" in str(error.value)
    assert "1 unexpected (smpl_regressor.weight)" in str(error.value)
    assert "1 of another shape (vertex_token_embed.weight)" in str(error.value)
    assert same(network.state_dict(), before)


def test_many_wrong_names_are_cut_short(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"missing \(.* more\)") as error:
        load_released_weights(small_fastmetro(), save(tmp_path / "state_dict.bin", {}))
    assert len(str(error.value)) < 1000


@pytest.mark.parametrize("content", [nn.Linear(2, 2), {"model": {}}, [torch.zeros(2)]])
def test_a_file_that_is_no_state_dict_is_a_clear_error(tmp_path: Path, content: object) -> None:
    with pytest.raises(CheckpointError, match=r"expected .* Give the published"):
        load_released_weights(small_fastmetro(), save(tmp_path / "model.bin", content))


def test_nothing_in_the_file_is_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (tmp_path / "harm",)

    with pytest.raises(CheckpointError, match="expected a state dict"):
        load_released_weights(small_fastmetro(), save(tmp_path / "model.bin", {"a": Evil()}))
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("name", ["state_dict.bin", "model.safetensors"])
@pytest.mark.parametrize("content", [None, b"", b"no weights"])
def test_a_missing_or_damaged_file_is_a_clear_error(tmp_path: Path, name: str, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=f"{name}: expected a state dict"):
        load_released_weights(small_fastmetro(), tmp_path / name)
