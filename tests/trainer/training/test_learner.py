"""Tests of the machinery around a step, among them one that trains in two processes at once."""

import os
import socket
import subprocess
import sys
from functools import partialmethod
from pathlib import Path

import pytest
import torch

from shared.errors import TrainingError
from shared.hand_model import load_hand_model
from tests.support.random_hands import ONES, random_hand
from tests.support.repository import ROOT
from tests.support.small_run import JOINT_READER, MADE, REGRESSOR, one_source, small_config, two_sources
from tests.support.two_processes import with_twins
from trainer.config.recycling import RecycleConfig
from trainer.config.run import TrainConfig
from trainer.data.loader import RoundLoader
from trainer.networks.base import HandNetwork
from trainer.objective.terms import L1_NORMS
from trainer.run.folder import RunFolder
from trainer.run.processes import build_fabric
from trainer.run.records import read_records
from trainer.training.learner import Learner, self_correlation

TWO_PROCESSES = ROOT / "tests" / "support" / "two_processes.py"


def learner_and_loader(config: TrainConfig) -> tuple[Learner, RoundLoader]:
    learner = Learner(build_fabric(config), config, load_hand_model(), num_steps=10)
    return learner, RoundLoader(one_source(config), config)


def test_a_loss_that_is_not_finite_moves_nothing_and_names_the_sample(tmp_path: Path) -> None:
    learner, loader = learner_and_loader(small_config(tmp_path))
    batch, _ = next(loader.batches(0, start_step=0, twins=None))
    batch.target.joints_ndc[2, 5] = float("nan")
    before = {name: value.clone() for name, value in learner.network.named_parameters()}
    with pytest.raises(TrainingError, match=rf"step 7: expected a finite loss.* {batch.sample_ids[2]}\. The"):
        learner.step(batch, number=7)
    for name, value in learner.network.named_parameters():
        assert torch.equal(value, before[name])


def test_a_gradient_that_is_not_finite_moves_nothing(tmp_path: Path) -> None:
    learner, loader = learner_and_loader(small_config(tmp_path))
    batch, _ = next(loader.batches(0, start_step=0, twins=None))
    first = next(learner.network.parameters())
    first.register_hook(lambda gradient: gradient * float("inf"))
    before = first.detach().clone()
    with pytest.raises(TrainingError, match="expected a finite gradient"):
        learner.step(batch, number=0)
    assert torch.equal(first, before)


def test_a_long_gradient_is_clipped(tmp_path: Path) -> None:
    config = small_config(tmp_path, optimiser__clip_norm=0.25)
    learner, loader = learner_and_loader(config)
    batch, _ = next(loader.batches(0, start_step=0, twins=None))
    learner.step(batch, number=0)
    gradients = [value.grad for value in learner.network.parameters() if value.grad is not None]
    norm = torch.linalg.vector_norm(torch.cat([gradient.flatten() for gradient in gradients]))
    assert float(norm) == pytest.approx(0.25, rel=1e-3)


@pytest.mark.parametrize("changes", [{"compute__precision": "bf16-mixed"}, {"optimiser__clip_norm": 0.0}])
@pytest.mark.slow
def test_training_learns_one_batch_by_heart(tmp_path: Path, changes: dict[str, object]) -> None:
    learner, loader = learner_and_loader(small_config(tmp_path, optimiser__learning_rate=3e-3, **changes))
    batch, _ = next(loader.batches(0, start_step=0, twins=None))
    losses = [learner.step(batch, number=number).total.item() for number in range(30)]
    assert losses[-1] < 0.5 * losses[0]


def test_frozen_stages_stay_as_they_are_while_the_rest_learns(tmp_path: Path) -> None:
    learner, loader = learner_and_loader(small_config(tmp_path, model=JOINT_READER))
    frozen = [name for name, value in learner.network.named_parameters() if not value.requires_grad]
    before = {name: value.clone() for name, value in learner.network.state_dict().items()}
    for number, (batch, _) in enumerate(loader.batches(0, start_step=0, twins=None)):
        learner.step(batch, number=number)
    after = learner.network.state_dict()
    layers = {name.rpartition(".")[0] for name in frozen}
    statistics = [name for name in after if name.rpartition(".")[0] in layers and name not in frozen]
    assert frozen
    assert statistics
    assert all(torch.equal(after[name], before[name]) for name in (*frozen, *statistics))
    moved = [name for name, _ in learner.network.named_parameters() if name not in frozen]
    assert not any(torch.equal(after[name], before[name]) for name in moved)
    in_optimiser = sum(len(group["params"]) for group in learner.optimiser.param_groups)
    assert in_optimiser == len(moved)


@pytest.mark.parametrize(
    "reading",
    [
        {"detach_original": False},
        {"centre_projected": True},
        {"compared": "all"},
        {"projected_with": "photograph"},
    ],
)
def test_each_reading_of_the_self_correlation_compares_otherwise(reading: dict[str, object]) -> None:
    """By its value or its gradient, for a network that has joint tokens too."""
    found = []
    for chosen in ({}, reading):
        hand, twin = (
            random_hand(seed)._replace(token_joints_m=random_hand(seed + 2).joints_m) for seed in (0, 1)
        )
        hand.verts_m.requires_grad_()
        config = RecycleConfig.model_validate({"backgrounds": "rooms", **chosen})
        total = self_correlation(config, ONES, L1_NORMS)(hand, twin).total.sum()
        found.append((total.item(), total.requires_grad))
    assert found[0] != found[1]


def test_averaging_does_not_change_what_is_learnt(tmp_path: Path) -> None:
    losses = []
    for decay in (0.0, 0.9):
        learner, loader = learner_and_loader(small_config(tmp_path, optimiser__ema_decay=decay))
        batches = loader.batches(0, start_step=0, twins=None)
        losses.append([learner.step(batch, number=n).total.item() for n, (batch, _) in enumerate(batches)])
    assert len(losses[0]) == 3
    assert losses[0] == losses[1]


@pytest.mark.parametrize("model", [REGRESSOR, JOINT_READER], ids=["regressor", "joint reader"])
@pytest.mark.filterwarnings("ignore:Guards may run slower on Python 3.13.0:RuntimeWarning")
@pytest.mark.slow
def test_a_compiled_step_computes_what_a_plain_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: dict[str, object]
) -> None:
    """The network is traced as torch.compile does it; only the code generator, which is slow, is left out."""
    compile_network = HandNetwork.compile
    monkeypatch.setattr(HandNetwork, "compile", partialmethod(compile_network, backend="eager"))
    losses = []
    for compiled in (False, True):
        learner, loader = learner_and_loader(small_config(tmp_path, model=model, compute__compile=compiled))
        batches = loader.batches(0, start_step=0, twins=None)
        losses.append([learner.step(batch, number=n).total.item() for n, (batch, _) in enumerate(batches)])
        assert not any("_orig_mod" in name for name in learner.network.state_dict())
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_accumulated_batches_give_the_gradient_of_the_joined_batch(tmp_path: Path) -> None:
    """Two batches of 3 against one of 6, where only some samples have twins."""
    found = []
    for batch_size, accumulate in ((6, 1), (3, 2)):
        config = small_config(
            tmp_path,
            data__batch_size=batch_size,
            optimiser__clip_norm=0.0,
            optimiser__accumulate=accumulate,
            model__backbone="test_convnext",  # batch statistics of halves are not those of the whole
        )
        learner, loader = learner_and_loader(config)
        batches, _ = next(loader.steps(0, start_step=0, twins=None))
        assert (len(batches), loader.photos_per_step, loader.steps_per_round) == (accumulate, 6, 2)
        losses = learner.step(*map(with_twins, batches), number=0)
        gradients = {name: value.grad for name, value in learner.network.named_parameters()}
        found.append({**gradients, "total": losses.total, "per_sample": losses.per_sample})
    torch.testing.assert_close(found[1], found[0], rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_two_processes_compute_the_gradient_of_the_joined_batch(tmp_path: Path) -> None:
    """Two processes with batches of 3 against one with a batch of 6, where only some samples have twins."""
    small_config(tmp_path)  # writes the data once, before the processes would do it together
    alone, together = (
        gradients_after(tmp_path, batch_size=6, world_size=1),
        gradients_after(tmp_path, batch_size=3, world_size=2),
    )
    assert alone.keys() == together.keys()
    for name, gradient in alone.items():
        torch.testing.assert_close(together[name], gradient, rtol=1e-4, atol=1e-6, msg=name)


def gradients_after(folder: Path, *, batch_size: int, world_size: int) -> dict[str, torch.Tensor]:
    run_processes("step", folder, batch_size=batch_size, world_size=world_size)
    gradients: dict[str, torch.Tensor] = torch.load(folder / "gradients.pt", weights_only=True)
    return gradients


@pytest.mark.slow
def test_two_processes_drill_with_different_hands_and_keep_the_same_weights(tmp_path: Path) -> None:
    small_config(tmp_path)
    run_processes("drill", tmp_path, batch_size=3, world_size=2)
    first, second = (torch.load(tmp_path / f"drilled-{rank}.pt", weights_only=True) for rank in (0, 1))
    assert float(first.pop("drill")) != float(second.pop("drill"))
    for name, value in first.items():
        assert torch.equal(second[name], value), name


@pytest.mark.slow
def test_two_processes_go_through_all_rounds_together(tmp_path: Path) -> None:
    """Each predicts its share of the shards, and the first has them drawn while the other waits."""
    small_config(tmp_path)
    run_processes("run", tmp_path, batch_size=2, world_size=2)
    records = read_records(RunFolder(tmp_path / "run"))
    assert [record.rendered for record in records] == [12, 12, 0]
    assert "correlation" in records[2].losses


@pytest.mark.slow
def test_two_processes_wait_for_a_render_in_the_background_of_the_first(tmp_path: Path) -> None:
    small_config(tmp_path)
    run_processes("overlap", tmp_path, batch_size=2, world_size=2)
    records = read_records(RunFolder(tmp_path / "run"))
    assert [record.rendered for record in records] == [0, 12, 0]
    assert records[2].staleness == {"1": 12}


@pytest.mark.slow
def test_two_processes_learn_from_two_sources_together(tmp_path: Path) -> None:
    two_sources(tmp_path)
    run_processes("sources", tmp_path, batch_size=2, world_size=2)
    records = read_records(RunFolder(tmp_path / "run"))
    assert [(record.steps, record.rendered) for record in records] == [(3, MADE - 2), (3, 0)]
    assert {"made/pa_mpjpe_mm", "real/pa_mpjpe_mm"} <= records[1].scores.keys()


def run_processes(job: str, folder: Path, *, batch_size: int, world_size: int) -> None:
    """Start processes as torchrun does, and wait for them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared_env = {
        "LOCAL_WORLD_SIZE": str(world_size),
        "WORLD_SIZE": str(world_size),
        "GROUP_WORLD_SIZE": "1",
        "GROUP_RANK": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
        "TORCHELASTIC_RUN_ID": "test",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, str(TWO_PROCESSES), job, str(folder), str(batch_size)]
    processes = [
        subprocess.Popen(
            command,
            env={**os.environ, **shared_env, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(world_size)
    ]
    told = [process.communicate(timeout=200)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * world_size, "\n".join(told)
