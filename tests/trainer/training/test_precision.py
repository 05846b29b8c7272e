"""fp16 and the scaler of its losses, on the CPU as on a GPU."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from shared.errors import TrainingError
from shared.hand_model import load_hand_model
from tests.support.fakes import PointRenderer
from tests.support.small_hands import open_hand
from tests.support.small_run import one_source, small_config
from trainer.config.run import TrainConfig
from trainer.data.dataset import LoadedBatch
from trainer.data.loader import RoundLoader
from trainer.networks.base import HandNetwork
from trainer.run.checkpoint import WEIGHTS, load_state
from trainer.run.processes import build_fabric
from trainer.training import learner as module
from trainer.training.learner import Learner
from trainer.training.loop import train
from trainer.types import HandPrediction

FIRST_SCALE = 2.0**16
"""With this one the gradients of a random batch are infinite in fp16, and finite at 2**11."""


class MeanColourHand(HandNetwork):
    """A mesh and a camera from the mean colour; CPUs take seconds for a step of convolutions in fp16."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3 * open_hand().num_verts + 3)
        self.register_buffer("regressor", torch.tensor(open_hand().joint_regressor), persistent=False)

    def forward(self, images: Tensor) -> HandPrediction:
        out = self.layer(images.mean(dim=(2, 3)))
        with torch.autocast("cpu", enabled=False):
            verts_m = 0.1 * out[:, :-3].float().unflatten(1, (-1, 3))
            return HandPrediction(verts_m, self.regressor @ verts_m, out[:, -3:].float())


@pytest.fixture(autouse=True)
def _fast_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "build_network", lambda *_, **__: MeanColourHand())


def fp16_config(folder: Path, **changes: Any) -> TrainConfig:
    return small_config(folder, compute__precision="16-mixed", **changes)


def engine_and_batch(config: TrainConfig) -> tuple[Learner, LoadedBatch]:
    learner = Learner(build_fabric(config), config, load_hand_model(), num_steps=10)
    loader = RoundLoader(one_source(config), config)
    return learner, next(loader.batches(0, start_step=0, twins=None))[0]


def scale_of(learner: Learner) -> float:
    return float(learner.state_dict()["precision"]["scale"])


def test_the_network_computes_in_16_bits_and_the_losses_in_32(tmp_path: Path) -> None:
    """Fabric by itself would take bf16 on a CPU."""
    learner, batch = engine_and_batch(fp16_config(tmp_path))
    seen = []
    layer = next(part for part in learner.network.modules() if isinstance(part, nn.Linear))
    layer.register_forward_hook(lambda *passed: seen.append(passed[-1].dtype))
    losses = learner.step(batch, number=0)
    assert seen == [torch.float16]
    assert losses.total.dtype == torch.float32


@pytest.mark.parametrize("schedule", ["plateau", "one_cycle"])
def test_an_overflow_skips_the_step_and_lowers_the_scale_until_it_learns(
    tmp_path: Path, schedule: str
) -> None:
    learner, batch = engine_and_batch(fp16_config(tmp_path, optimiser__schedule=schedule))
    before = {name: value.clone() for name, value in learner.network.named_parameters()}
    first = learner.step(batch, number=0).total
    assert scale_of(learner) == FIRST_SCALE / 2
    assert all(torch.equal(value, before[name]) for name, value in learner.network.named_parameters())
    losses = [learner.step(batch, number=number).total for number in range(1, 8)]
    assert losses[-1] < first


def test_a_gradient_that_no_scale_makes_finite_stops_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise every step would be skipped, and nothing would say so."""
    monkeypatch.setattr(module, "SMALLEST_SCALE", FIRST_SCALE / 4)
    learner, batch = engine_and_batch(fp16_config(tmp_path))
    first = next(learner.network.parameters())
    first.register_hook(lambda gradient: gradient * float("inf"))
    before = first.detach().clone()
    for number in range(2):
        learner.step(batch, number=number)
    with pytest.raises(TrainingError, match="step 2: expected a finite gradient"):
        learner.step(batch, number=2)
    assert torch.equal(first, before)


def test_a_loss_that_is_not_finite_is_no_overflow(tmp_path: Path) -> None:
    learner, batch = engine_and_batch(fp16_config(tmp_path))
    batch.target.verts_m[1, 7] = float("inf")
    with pytest.raises(TrainingError, match=rf"expected a finite loss.* {batch.sample_ids[1]}\. The"):
        learner.step(batch, number=0)


def test_a_resumed_run_has_the_scale_of_an_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException): ...

    step = Learner.step

    def dying(learner: Learner, *batch: Any, number: int) -> Any:
        if number == 3:
            raise Killed
        return step(learner, *batch, number=number)

    folders = []
    for killed in (False, True):
        config = fp16_config(tmp_path / str(killed), rounds=2)
        if killed:
            with monkeypatch.context() as patch:
                patch.setattr(Learner, "step", dying)
                with pytest.raises(Killed):
                    train(config, renderer=PointRenderer(), resume=False)
        train(config, renderer=PointRenderer(), resume=killed)
        folders.append(config.run_dir / "checkpoints" / "round-0001")
    assert (folders[0] / WEIGHTS).read_bytes() == (folders[1] / WEIGHTS).read_bytes()
    whole, resumed = (load_state(folder)["engine"]["precision"] for folder in folders)
    assert resumed == whole
    assert whole["scale"] < FIRST_SCALE / 8, "more steps were skipped than one process took"


def test_a_run_can_change_to_16_bits_and_back(tmp_path: Path) -> None:
    for rounds, precision in enumerate(("32-true", "16-mixed", "bf16-mixed"), start=1):
        config = small_config(tmp_path, rounds=rounds, recycle=None, compute__precision=precision)
        report = train(config, renderer=None, resume=True)
    assert len(report.records) == 3
