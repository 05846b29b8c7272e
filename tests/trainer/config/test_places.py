"""Paths of a configuration, changed wherever they are."""

from pathlib import Path

import pytest

from tests.support.small_run import small_config
from trainer.config.places import absolute, with_paths
from trainer.config.run import TrainConfig


def test_every_path_becomes_absolute_and_nothing_else_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = TrainConfig.model_validate(
        {
            "run_dir": "runs/mine",
            "mirror": "../copy",
            "hand_model": "data/MANO_RIGHT.pkl",
            "data": {"sources": [{"root": "a", "share": 0.5}, {"root": "b", "share": 0.5}]},
            "model": {"name": "fastmetro", "coarse_mesh": "data/mesh.npz", "weights": "runs/before"},
            "recycle": {"backgrounds": "s3://bucket/backgrounds"},
        }
    )
    monkeypatch.chdir(tmp_path)
    changed = with_paths(config, absolute)
    assert changed.run_dir == tmp_path / "runs/mine"
    assert changed.mirror == tmp_path.parent / "copy"
    assert changed.hand_model == tmp_path / "data/MANO_RIGHT.pkl"
    assert [source.root for source in changed.data.sources] == [tmp_path / "a", tmp_path / "b"]
    assert changed.model.published_mesh == tmp_path / "data/mesh.npz"
    assert changed.model.weights == tmp_path / "runs/before"
    assert changed.recycle is not None
    assert changed.recycle.backgrounds == "s3://bucket/backgrounds"
    assert with_paths(changed, absolute) == changed
    assert changed.optimiser == config.optimiser


def test_the_open_model_is_a_name_and_no_path(tmp_path: Path) -> None:
    config = small_config(tmp_path, model={"name": "joint_reader", "weights": "open"})
    assert with_paths(config, absolute).model.weights == "open"
