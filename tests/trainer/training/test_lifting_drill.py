"""The drill beside the step: what it teaches, and that a run with it can be cut and resumed."""

from pathlib import Path

import pytest
import torch

from tests.support.fakes import PointRenderer
from tests.support.kill_points import Killed, killing_call
from tests.support.small_hands import open_hand, small_joint_reader
from tests.support.small_run import JOINT_READER, small_config
from trainer.config.run import TrainConfig
from trainer.networks.joint_reader.network import JointReader
from trainer.run.checkpoint import WEIGHTS
from trainer.run.folder import RunFolder
from trainer.run.records import read_records
from trainer.training.learner import Learner, term_norms, term_weights
from trainer.training.lifting_drill import LiftingDrill, lifting_drill
from trainer.training.loop import train


def drill_of(network: JointReader, config: TrainConfig) -> LiftingDrill | None:
    terms, norms = term_weights(config.loss), term_norms(config.loss)
    return lifting_drill(network, config, open_hand(), terms=terms, norms=norms, visible=False)


def test_the_drill_teaches_the_lifter_and_nothing_else(tmp_path: Path) -> None:
    network = small_joint_reader()
    drill = drill_of(network, small_config(tmp_path, model=JOINT_READER))
    assert drill is not None
    drill(seed=0).backward()
    learnt = {name for name, value in network.named_parameters() if value.grad is not None}
    assert learnt == {f"lifter.{name}" for name, _ in network.lifter.named_parameters()}


def test_the_lifter_learns_hands_that_it_has_not_seen(tmp_path: Path) -> None:
    network = small_joint_reader()
    drill = drill_of(network, small_config(tmp_path, model=JOINT_READER))
    assert drill is not None
    optimiser = torch.optim.AdamW(network.lifter.parameters(), lr=1e-3)
    with torch.no_grad():
        before = float(drill(seed=1000))
    for seed in range(40):
        optimiser.zero_grad()
        drill(seed=seed).backward()
        optimiser.step()
    with torch.no_grad():
        assert float(drill(seed=1000)) < 0.8 * before


def test_the_weight_scales_the_drill_and_zero_leaves_it_out(tmp_path: Path) -> None:
    network = small_joint_reader()
    costs = []
    for weight in (0.5, 2.0):
        drill = drill_of(network, small_config(tmp_path, model={**JOINT_READER, "drill": weight}))
        assert drill is not None
        costs.append(drill(seed=0).item())
    assert costs[1] == pytest.approx(4 * costs[0])
    assert drill_of(network, small_config(tmp_path, model={**JOINT_READER, "drill": 0})) is None


@pytest.mark.slow
def test_an_interrupted_run_ends_with_the_bits_of_an_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = []
    for folder, killed in ((tmp_path / "whole", False), (tmp_path / "cut", True)):
        config = small_config(folder, rounds=2, model=JOINT_READER)
        if killed:
            with monkeypatch.context() as patch:
                killing_call(patch, Learner, "step", call=6)
                with pytest.raises(Killed):
                    train(config, renderer=PointRenderer(), resume=False)
        train(config, renderer=PointRenderer(), resume=killed)
        weights.append((folder / "run/checkpoints/round-0001" / WEIGHTS).read_bytes())
        losses = read_records(RunFolder(folder / "run"))[-1].losses
        assert losses.keys() >= {"drill", "original/heat", "recycled/heat"}
        assert "correlation/heat" not in losses
    assert weights[0] == weights[1]
