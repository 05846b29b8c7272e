"""A run that learns from two sources: made hands with twins, and photographs in two versions without."""

import json
import re
from pathlib import Path

import pytest

from shared.errors import ConfigError, DatasetError
from shared.twins.predictions import read_predictions
from shared.twins.rounds import SyntheticRound
from tests.support.fakes import PointRenderer
from tests.support.kill_points import Killed, killing_call
from tests.support.small_dataset import small_split
from tests.support.small_run import MADE, REAL, small_config, two_sources
from trainer.config.run import load_config
from trainer.evaluation.source_reports import evaluate_sources
from trainer.inspection.context import context_of
from trainer.inspection.curves import draw_curves
from trainer.inspection.gallery_twins import write_run_gallery
from trainer.inspection.repredict import network_of
from trainer.inspection.shards import inspect_shards
from trainer.inspection.twin_sheet import draw_twin_sheet
from trainer.run.checkpoint import WEIGHTS
from trainer.run.folder import RunFolder
from trainer.run.records import read_records
from trainer.run.trained import load_trained
from trainer.training.learner import Learner
from trainer.training.loop import train


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    train(two_sources(folder), renderer=PointRenderer(), resume=False)
    return folder / "run"


@pytest.mark.parametrize("call", [2, 5], ids=["mid-epoch", "mid-epoch-with-twins"])
def test_an_interrupted_run_ends_with_the_bits_of_an_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uninterrupted: Path, call: int
) -> None:
    config = two_sources(tmp_path)
    with monkeypatch.context() as patch:
        killing_call(patch, Learner, "step", call=call)
        with pytest.raises(Killed):
            train(config, renderer=PointRenderer(), resume=False)
    train(config, renderer=PointRenderer(), resume=True)
    found, expected = (run / "checkpoints/round-0001" / WEIGHTS for run in (tmp_path / "run", uninterrupted))
    assert found.read_bytes() == expected.read_bytes()


def test_twins_are_those_of_the_sources_that_ask_for_them(uninterrupted: Path) -> None:
    shards = [read_predictions(path) for path in sorted((uninterrupted / "predictions/round-0000").iterdir())]
    names = [name for shard in shards for name in shard.sample_ids]
    assert len(names) == len(set(names)) == MADE - 2
    assert all(name.startswith("made-") for name in names)
    assert len(SyntheticRound.open(uninterrupted / "synthetic/round-0000")) == MADE - 2
    assert "recycled" in read_records(RunFolder(uninterrupted))[1].losses


def test_scores_are_those_of_each_source_and_their_weighted_mean(uninterrupted: Path) -> None:
    for record in read_records(RunFolder(uninterrupted)):
        made, real = record.scores["made/pa_mpjpe_mm"], record.scores["real/pa_mpjpe_mm"]
        assert made != real
        assert record.scores["pa_mpjpe_mm"] == pytest.approx(0.65 * made + 0.35 * real)
        assert f"mm (made {made:.2f}, real {real:.2f}), PA-MPVPE" in record.to_text(rounds=2)


def test_the_evaluation_is_that_of_each_source(uninterrupted: Path) -> None:
    small_split(uninterrupted.parent / "real", "evaluation", num_images=2)
    reports = evaluate_sources(load_trained(uninterrupted), "evaluation")
    assert reports.to_json()["sources"]["real"]["num_hands"] == 2
    assert reports.to_json()["sources"]["made"] is None
    assert reports.to_text().endswith("made: there is no evaluation split.")
    both = evaluate_sources(load_trained(uninterrupted), "training").to_json()["sources"]
    assert [both[name]["num_hands"] for name in ("made", "real")] == [MADE, REAL]


def test_the_gallery_and_the_sheet_find_the_photographs_of_their_source(
    uninterrupted: Path, tmp_path: Path
) -> None:
    inspection = inspect_shards([uninterrupted])
    context = context_of(inspection)
    trained = network_of(context, device="cpu")
    write_run_gallery(tmp_path / "gallery.html", inspection, context, count=3, trained=trained)
    page = (tmp_path / "gallery.html").read_text()
    assert len(set(re.findall(r'id="photo-(made-\d{8})"', page))) == 3
    trained = network_of(context, device="cpu")
    assert draw_twin_sheet(inspection, context, count=3, selection="worst", trained=trained) is not None
    with pytest.raises(ConfigError, match="expected no folder instead of the 2 sources"):
        context_of(inspection, dataset=uninterrupted.parent / "made")


def test_the_curves_show_each_source(uninterrupted: Path, tmp_path: Path) -> None:
    draw_curves([uninterrupted], tmp_path / "curves.svg")
    assert "PA-MPJPE of real" in (tmp_path / "curves.svg").read_text()


def test_the_resolved_configuration_reads_back(uninterrupted: Path) -> None:
    config = load_config(uninterrupted / "config.toml")
    assert [source.called for source in config.data.all_sources] == ["made", "real"]
    assert config.data.sources[1].augment is not None
    assert config.data.crop_px_of(uninterrupted.parent / "real") == 48


def test_a_single_source_is_the_short_form(tmp_path: Path) -> None:
    short = small_config(tmp_path / "short", rounds=2)
    data = short.data.model_dump(exclude={"root", "num_versions"})
    long = small_config(
        tmp_path / "long",
        rounds=2,
        data={**data, "sources": [{"root": tmp_path / "long/data", "share": 1}]},
    )
    for config in (short, long):
        train(config, renderer=PointRenderer(), resume=False)
    found, expected = (config.run_dir / "checkpoints/round-0001" / WEIGHTS for config in (long, short))
    assert found.read_bytes() == expected.read_bytes()


def test_a_source_without_labels_is_one_clear_line(tmp_path: Path) -> None:
    config = two_sources(tmp_path, recycle=None)
    (tmp_path / "real/training_verts.json").unlink()
    with pytest.raises(DatasetError, match=r"real: expected training_verts\.json, found no such file"):
        train(config, renderer=None, resume=False)


def test_a_missing_source_is_one_clear_line(tmp_path: Path) -> None:
    config = two_sources(tmp_path, recycle=None)
    (tmp_path / "real").rename(tmp_path / "elsewhere")
    with pytest.raises(DatasetError, match=r"real: expected a FreiHAND dataset .* found no such folder"):
        train(config, renderer=None, resume=False)


def test_sources_of_two_hand_models_are_refused(tmp_path: Path) -> None:
    config = two_sources(tmp_path, recycle=None)
    path = tmp_path / "real/training_verts.json"
    path.write_text(json.dumps([verts[:777] for verts in json.loads(path.read_text())]))
    with pytest.raises(
        ConfigError, match=r"real: expected meshes of 778 .* found 777\. The labels of .*made are .*one hand"
    ):
        train(config, renderer=None, resume=False)
