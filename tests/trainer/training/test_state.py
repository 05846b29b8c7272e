"""The state of another run, or of other types, is one line and changes nothing that it does not name."""

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch

from shared.errors import CheckpointError
from shared.hand_model import load_hand_model
from shared.storage.files import sha256_of
from tests.support.small_run import small_config
from trainer.run.checkpoint import CHECKSUMS, STATE, WEIGHTS, CheckpointId
from trainer.run.folder import RunFolder
from trainer.run.processes import build_fabric
from trainer.training.learner import Learner
from trainer.training.loss_meter import LossMeter
from trainer.training.state import CheckpointManager, LoopState

STATES = ("engine", "meter", "standing")
NOTHING: tuple[Any, ...] = (None, 3, [])


@pytest.fixture
def manager(tmp_path: Path) -> CheckpointManager:
    """A run with one checkpoint."""
    config = small_config(tmp_path)
    learner = Learner(build_fabric(config), config, load_hand_model(), num_steps=10)
    folder = RunFolder(tmp_path / "run")
    folder.root.mkdir()
    for name in ("config.toml", "provenance.json"):
        (folder.root / name).write_text("{}")
    manager = CheckpointManager(folder=folder, learner=learner, meter=LossMeter(), loop=LoopState())
    manager.save(CheckpointId(0))
    return manager


def without(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda state: {key: value for key, value in state.items() if key != name}


def changed(**values: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda state: state | values


@pytest.mark.parametrize(
    "change",
    [
        *(without(name) for name in (*STATES, "format")),
        *(changed(**{name: value}) for name, value in product(STATES, NOTHING)),
        lambda state: state | {"engine": without(min(state["engine"]))(state["engine"])},
        lambda state: state | {"engine": dict.fromkeys(state["engine"], 3)},
        lambda state: state | {"standing": state["standing"] | {"best_mm": "x"}},
        lambda state: state | {"standing": state["standing"] | {"best_round": None}},
        lambda state: [state],
        lambda _: torch.zeros(3),
    ],
)
def test_a_state_of_others_is_one_line(
    manager: CheckpointManager, change: Callable[[dict[str, Any]], Any]
) -> None:
    folder = manager.folder.checkpoints / "round-0000"
    torch.save(change(torch.load(folder / STATE)), folder / STATE)
    sums = {name: sha256_of(folder / name) for name in (WEIGHTS, STATE)}
    (folder / CHECKSUMS).write_text(json.dumps(sums))
    with pytest.raises(CheckpointError, match=r"state\.pt: expected ") as told:
        manager.restore()
    assert len(str(told.value).splitlines()) == 1


def test_its_own_state_comes_back(manager: CheckpointManager) -> None:
    assert manager.restore() == CheckpointId(0)
