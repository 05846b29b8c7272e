"""What somebody types who has a dataset on the disk."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cli import main
from shared.freihand import FreiHandSplit
from tests.support.published.freihand import write_archives
from tests.support.published.hands import Models
from tests.support.published.ho3d import write_ho3d
from tests.support.small_hands import TINY_BACKBONE


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return Models.write(tmp_path_factory.mktemp("mano"))


def test_a_dataset_is_imported_and_what_was_left_out_is_shown(models: Models, tmp_path: Path) -> None:
    write_ho3d(tmp_path / "HO-3D_v3", models.right, released=False)
    (tmp_path / "HO-3D_v3" / "train" / "MC1" / "rgb" / "0005.jpg").write_bytes(b"no picture")
    arguments = ["import-dataset", "ho3d", str(tmp_path / "HO-3D_v3"), "--out", str(tmp_path / "out")]
    arguments += ["--hand-model", str(models.right_path)]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert [line.split()[-1] for line in result.stdout.splitlines()[1:]] == ["2", "0", "3", "2", "1"]
    assert "the photograph cannot be decoded" in result.stdout
    assert "HO-3D, training: 100%" in result.stderr
    again = CliRunner().invoke(main, [*arguments, "--json"], catch_exceptions=False)
    assert json.loads(again.stdout)["kept"] == 2


def test_held_out_recordings_and_every_other_frame(models: Models, tmp_path: Path) -> None:
    write_ho3d(tmp_path / "source", models.right, evaluation=())
    arguments = ["import-dataset", "ho3d", str(tmp_path / "source"), "--out", str(tmp_path / "out")]
    arguments += ["--hand-model", str(models.right_path), "--evaluation", "MC*", "--every", "2"]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert {split: len(FreiHandSplit(tmp_path / "out", split)) for split in ("training", "evaluation")} == {
        "training": 1,
        "evaluation": 1,
    }


def test_doctor_is_content_with_an_import(models: Models, tmp_path: Path) -> None:
    """It looks at the labels as training does."""
    from trainer.checks import photographs

    write_ho3d(tmp_path / "source", models.right)
    arguments = ["import-dataset", "ho3d", str(tmp_path / "source"), "--out", str(tmp_path / "out")]
    arguments += ["--hand-model", str(models.right_path)]
    assert CliRunner().invoke(main, arguments, catch_exceptions=False).exit_code == 0
    found = photographs(str(tmp_path / "out"), str(models.right_path))
    assert "training: 3 images of 224 px, 3 poses with labels" in str(found)


@pytest.mark.slow
def test_a_network_is_trained_and_scored_on_an_import(models: Models, tmp_path: Path) -> None:
    """The commands of docs/data.md, with photographs alone: import, train, evaluate."""
    train = tuple(f"ABF{camera}/{frame:04d}" for camera in (10, 11) for frame in range(4))
    write_ho3d(tmp_path / "source", models.right, train=train)
    arguments = ["import-dataset", "ho3d", str(tmp_path / "source"), "--out", str(tmp_path / "out")]
    hand_model = ["--hand-model", str(models.right_path)]
    assert CliRunner().invoke(main, [*arguments, *hand_model], catch_exceptions=False).exit_code == 0
    config = tmp_path / "run.toml"
    config.write_text(
        f'''
        run_dir = "{tmp_path / "run"}"
        hand_model = "{models.right_path}"
        rounds = 1
        [data]
        root = "{tmp_path / "out"}"
        num_versions = 1
        batch_size = 4
        workers = 0
        input_px = 64
        held_out_share = 0.25
        [model]
        name = "regressor"
        backbone = "{TINY_BACKBONE}"
        pretrained = false
        [compute]
        accelerator = "cpu"
        '''
    )
    assert CliRunner().invoke(main, ["train", str(config)], catch_exceptions=False).exit_code == 0
    scores = CliRunner().invoke(main, ["evaluate", str(tmp_path / "run"), "--json"], catch_exceptions=False)
    assert json.loads(scores.stdout)["num_hands"] == 2


def test_freihand_is_unpacked(tmp_path: Path) -> None:
    write_archives(tmp_path / "downloads")
    arguments = ["import-dataset", "freihand", str(tmp_path / "downloads"), "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1:] == [
        "training images    8",
        "evaluation images  3",
        "left out           0",
    ]
