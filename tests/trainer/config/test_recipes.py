"""The files of `configs/` that promise somebody's recipe have its numbers."""

import pytest

from tests.support.repository import ROOT
from trainer.config.run import load_config
from trainer.networks.metro import GraphormerModel, MetroModel


@pytest.mark.parametrize("name", ["metro", "graphormer"])
def test_metro_and_graphormer_train_by_their_own_recipe(name: str) -> None:
    """`run_metro_handmesh.py`, `run_gphmer_handmesh.py`: MSE joints, L1 vertices, MSE 2D, all weights 1."""
    config = load_config(ROOT / f"configs/baseline-{name}.toml")
    loss, optimiser = config.loss, config.optimiser
    assert (loss.joints, loss.verts, loss.projected, loss.edges, loss.normals) == (1, 1, 1, 0, 0)
    assert (loss.joints_norm, loss.verts_norm, loss.projected_norm) == ("l2", "l1", "l2")
    assert (optimiser.learning_rate, optimiser.weight_decay, optimiser.clip_norm) == (1e-4, 0, 0)
    assert optimiser.schedule == "tenth_at_half"
    assert config.rounds == 200
    assert isinstance(config.model, MetroModel | GraphormerModel)
    assert (config.model.masked_share, config.model.dropout) == (0, 0.1)
