"""An ablation whose runs train at the same time, in processes of their own."""

from pathlib import Path

import pytest
import torch

from shared.errors import ConfigError
from tests.support.small_ablation import points_for, small_ablation
from trainer.paper import ablation, side_by_side
from trainer.paper.ablation import ablate
from trainer.paper.plan import planned_runs
from trainer.paper.side_by_side import SideBySide, environment_of


@pytest.mark.slow
def test_two_seeds_side_by_side_end_as_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone, together = (
        small_ablation(tmp_path / name, variants=("original",), seeds=(0, 1), train={"recycle": None})
        for name in ("alone", "together")
    )
    expected = ablate(alone, renderer_for=points_for).to_json()["rows"]
    monkeypatch.setattr(side_by_side, "_cores", lambda: 2 * torch.get_num_threads())  # sums depend on threads
    found = ablate(together, renderer_for=points_for, workers=2).to_json()["rows"]
    assert [row["scores"] for row in found] == [row["scores"] for row in expected]


@pytest.mark.slow
def test_a_run_that_fails_is_named_with_its_last_words_and_the_other_goes_on(tmp_path: Path) -> None:
    config = small_ablation(tmp_path, variants=("original",), seeds=(0, 1), train={"recycle": None})
    good, bad = planned_runs(config)
    bad.config.run_dir.mkdir(parents=True)
    (bad.config.run_dir / "holiday.jpg").touch()
    ended = {each.run.seed: each.failure for each in SideBySide(2, None).train([good, bad])}
    assert ended[good.seed] is None
    assert "found holiday.jpg" in (ended[bad.seed] or "")


def test_every_process_gets_a_gpu_of_its_own_and_a_share_of_the_cores(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(side_by_side, "_cores", lambda: 8)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    told = [environment_of(place, 4) for place in range(4)]
    assert [each["CUDA_VISIBLE_DEVICES"] for each in told] == ["2", "5", "2", "5"]
    assert {each["OMP_NUM_THREADS"] for each in told} == {"2"}


def test_torchrun_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = small_ablation(tmp_path, variants=("original",), train={"recycle": None})
    monkeypatch.setattr(ablation, "num_processes", lambda: 2)
    with pytest.raises(ConfigError, match="found those of torchrun"):
        ablate(config, renderer_for=points_for, workers=2)
