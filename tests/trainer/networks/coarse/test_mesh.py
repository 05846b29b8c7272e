"""The coarse mesh: how well it represents hands, and that it is made once."""

import dataclasses
import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.small_hands import open_hand, open_hand_mesh
from trainer.networks.coarse import mesh as module
from trainer.networks.coarse.mesh import coarse_mesh, residuals


def test_template_comes_back_within_a_tenth_of_a_millimetre() -> None:
    """MANO's published matrix leaves 0.58 mm on average, and 11.3 mm at the rim."""
    found = residuals(open_hand(), open_hand_mesh())
    assert found.template_mean_mm < 0.1
    assert found.template_max_mm < 1.0
    assert found.posed_mean_mm < 0.3
    assert found.posed_max_mm < 5.0


def test_fitted_hands_of_real_photographs_come_back(assets: Path) -> None:
    """They were posed by others, with another prior than the matrix was fitted with."""
    verts_m = np.array(json.loads((assets / "realhands/data/evaluation_verts.json").read_text()))
    residual_mm = open_hand_mesh().residual_mm(verts_m)
    assert residual_mm.mean() < 0.3
    assert np.percentile(residual_mm, 99) < 1.5


def test_rows_sum_to_one_so_the_mesh_follows_translations() -> None:
    mesh, verts_m = open_hand_mesh(), open_hand().template_m
    np.testing.assert_allclose(mesh.upsampling.sum(axis=1), 1, atol=1e-6)
    here = mesh.upsampling @ verts_m[mesh.vert_ids]
    shift_m = np.array([0.3, -0.2, 0.9])
    there = mesh.upsampling @ (verts_m[mesh.vert_ids] + shift_m)
    np.testing.assert_allclose(there - here, np.tile(shift_m, (778, 1)), atol=1e-6)


def test_a_coarse_vertex_stays_what_it_is() -> None:
    mesh = open_hand_mesh()
    np.testing.assert_array_equal(mesh.upsampling[mesh.vert_ids], np.eye(195))


def test_noise_in_the_coarse_vertices_does_not_grow() -> None:
    """Weights that only fit the template are large and opposed, and amplify a network's errors."""
    gain = np.linalg.norm(open_hand_mesh().upsampling, axis=1)
    assert gain.mean() < 0.9
    assert gain.max() < 1.5


def test_neighbours_are_a_connected_mesh() -> None:
    neighbours = open_hand_mesh().neighbours
    assert np.array_equal(neighbours, neighbours.T)
    assert neighbours.diagonal().all()
    assert (neighbours.sum(axis=1) >= 3).all()
    assert neighbours.sum(axis=1).mean() < 8, "a planar mesh has fewer than six neighbours on average"
    assert (np.linalg.matrix_power(neighbours.astype(float), 195) > 0).all()


def test_making_a_coarse_mesh_leaves_the_random_state_alone() -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    module.fit_upsampling(open_hand(), open_hand_mesh().vert_ids)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_coarse_mesh_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "make_coarse_mesh", lambda *_: open_hand_mesh())
    coarse_mesh(open_hand(), cache_dir=tmp_path)
    monkeypatch.setattr(module, "make_coarse_mesh", lambda *_: pytest.fail("made again"))
    cached = coarse_mesh(open_hand(), cache_dir=tmp_path)
    for field in dataclasses.fields(cached):
        np.testing.assert_array_equal(getattr(cached, field.name), getattr(open_hand_mesh(), field.name))


def test_how_well_it_restores_hands_is_told_each_time_and_kept_beside_the_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger=module.__name__):
        coarse_mesh(open_hand(), cache_dir=tmp_path)
        coarse_mesh(open_hand(), cache_dir=tmp_path)
    told = [message for message in caplog.messages if "restoring the template leaves 0.0" in message]
    assert len(told) == 2
    assert told[0] == told[1]
    with np.load(next(tmp_path.iterdir())) as kept:
        assert kept["residuals_mm"].tolist() == list(residuals(open_hand(), open_hand_mesh()))


def test_another_hand_model_does_not_get_the_cached_mesh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "make_coarse_mesh", lambda *_: open_hand_mesh())
    coarse_mesh(open_hand(), cache_dir=tmp_path)
    coarse_mesh(dataclasses.replace(open_hand(), sha256="f" * 64), cache_dir=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_damaged_cache_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "make_coarse_mesh", lambda *_: open_hand_mesh())
    coarse_mesh(open_hand(), cache_dir=tmp_path)
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    with caplog.at_level(logging.WARNING):
        coarse_mesh(open_hand(), cache_dir=tmp_path)
    assert "making it again" in caplog.text
    assert path.read_bytes() == whole
