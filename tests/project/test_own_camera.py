"""What a user does who adapts a network to a camera: photographs, squares of hands, a training on them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli import main
from tests.support.fakes import PointRenderer
from tests.support.repository import ROOT
from tests.support.small_dataset import small_split
from tests.support.small_run import JOINT_READER
from trainer.config.run import TrainConfig, load_config
from trainer.training.loop import train

PHOTOGRAPHS = ROOT / "docs/photographs"
if not PHOTOGRAPHS.is_dir():
    pytest.skip("the documents are not part of an installed package", allow_module_level=True)
"""Six real ones, a hand in each."""


@pytest.mark.slow
def test_real_photographs_become_a_source_without_labels_that_a_network_learns_from(tmp_path: Path) -> None:
    """As docs/data.md says, with the finder that ships; the network is tiny, and twins are points."""
    found = CliRunner().invoke(
        main,
        ["import-dataset", "photographs", str(PHOTOGRAPHS), "--out", str(tmp_path / "mycamera"), "--json"],
    )
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["images"] == {"training": 6}
    small_split(tmp_path / "made", "training", num_images=6)
    shipped = load_config(ROOT / "configs/own_camera.toml")
    made, camera = shipped.data.sources
    sources = (
        made.model_copy(update={"root": tmp_path / "made"}),
        camera.model_copy(update={"root": tmp_path / "mycamera"}),
    )
    changes = {
        "run_dir": tmp_path / "run",
        "rounds": 2,
        "data": {
            **shipped.data.model_dump(),
            "sources": sources,
            "epoch_samples": 8,
            "crop_px": 56,
            "input_px": 64,
            "batch_size": 4,
            "workers": 0,
            "held_out_share": 0.2,
        },
        "model": {**JOINT_READER, "box_margin": 1.3, "tries_turns": True},
        "compute": {"accelerator": "cpu"},
    }
    report = train(
        TrainConfig.model_validate({**shipped.model_dump(), **changes}),
        renderer=PointRenderer(),
        resume=False,
    )
    first, adapted = report.records
    assert first.rendered == 6
    assert {"original", "recycled", "correlation"} <= adapted.losses.keys()
    assert adapted.scores["mycamera/recycled_pa_mpjpe_mm"] > 0


def test_options_of_labels_mean_nothing_for_photographs(tmp_path: Path) -> None:
    found = CliRunner().invoke(
        main,
        ["import-dataset", "photographs", str(PHOTOGRAPHS), "--out", str(tmp_path), "--joints", "mesh"],
    )
    assert found.exit_code == 2
    assert "--joints: not for photographs, which have no labels" in found.output
