"""A run that learns from made hands with labels, and from photographs that nobody has labelled."""

from pathlib import Path
from typing import Any

import pytest

from shared.errors import DatasetError
from shared.twins.predictions import read_predictions
from shared.twins.rounds import SyntheticRound
from tests.support.fakes import PointRenderer
from tests.support.kill_points import Killed, killing_call
from tests.support.small_dataset import small_split
from tests.support.small_run import JOINT_READER, MADE, small_config, two_sources
from trainer.config.run import TrainConfig
from trainer.data.dataset import collate
from trainer.data.loader import RoundLoader
from trainer.data.sampling import SampleKey
from trainer.data.source_datasets import SourceDatasets
from trainer.data.sources import open_sources
from trainer.evaluation import held_out_scores
from trainer.evaluation.source_reports import evaluate_sources
from trainer.inspection.context import context_of
from trainer.inspection.gallery_twins import write_run_gallery
from trainer.inspection.repredict import network_of
from trainer.inspection.shards import inspect_shards
from trainer.inspection.twin_sheet import draw_twin_sheet
from trainer.run.checkpoint import WEIGHTS
from trainer.run.folder import RunFolder
from trainer.run.records import read_records
from trainer.run.trained import load_trained
from trainer.training.loop import train

CAMERA = 8
"""Photographs of the source without labels: one is held out."""


def config_of(folder: Path, *, target: str = "rendered", **changes: Any) -> TrainConfig:
    for name, num_images in (("made", MADE), ("camera", CAMERA)):
        if not (folder / name).exists():
            small_split(folder / name, "training", num_images=num_images)
    for annotation in (folder / "camera").glob("training_*.json"):
        annotation.unlink()
    sources = [
        {"root": folder / "camera", "share": 0.5, "labels": "none", "crop_px": 48},
        {"root": folder / "made", "share": 0.5, "twins": False},
    ]
    data = {
        "sources": sources,
        "epoch_samples": 12,
        "crop_px": 56,
        "input_px": 64,
        "batch_size": 4,
        "workers": 0,
        "held_out_share": 1 / 7,
    }
    recycle = {"backgrounds": "unused", "target": target}
    return small_config(folder, rounds=3, data=data, recycle=recycle, **changes)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    train(config_of(folder), renderer=PointRenderer(), resume=False)
    return folder / "run"


@pytest.mark.parametrize(
    ("owner", "name", "call"),
    [
        pytest.param(PointRenderer, "render_shard", 2, id="mid-render"),
        pytest.param(held_out_scores, "recycled_error", 1, id="mid-evaluation", marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_run_ends_with_the_bits_of_an_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uninterrupted: Path, owner: Any, name: str, call: int
) -> None:
    config = config_of(tmp_path)
    with monkeypatch.context() as patch:
        killing_call(patch, owner, name, call=call)
        with pytest.raises(Killed):
            train(config, renderer=PointRenderer(), resume=False)
    train(config, renderer=PointRenderer(), resume=True)
    found, expected = (run / "checkpoints/round-0002" / WEIGHTS for run in (tmp_path / "run", uninterrupted))
    assert found.read_bytes() == expected.read_bytes()
    ours, theirs = (read_records(RunFolder(run))[-1] for run in (tmp_path / "run", uninterrupted))
    assert (ours.losses, ours.scores) == (theirs.losses, theirs.scores)


def test_all_its_photographs_get_twins_those_held_out_too(uninterrupted: Path) -> None:
    shards = [read_predictions(path) for path in (uninterrupted / "predictions/round-0001").iterdir()]
    names = sorted(name for shard in shards for name in shard.sample_ids if name.startswith("camera-"))
    assert names == [f"camera-{index:08d}" for index in range(CAMERA)]
    assert len(SyntheticRound.open(uninterrupted / "synthetic/round-0001")) == CAMERA


def test_its_held_out_twins_are_never_learnt_from(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    sources = open_sources(config)
    loader = RoundLoader(sources, config)
    held_out = {sources[0].split.sample_id(index) for index in sources[0].held_out}
    seen = {
        name
        for round_index in range(3)
        for batch, _ in loader.batches(round_index, start_step=0, twins=None)
        for name in batch.sample_ids
    }
    assert len(held_out) == 1
    assert not held_out & seen


def test_labelled_photographs_alone_are_scored_and_the_others_by_their_twins(uninterrupted: Path) -> None:
    first, *later = read_records(RunFolder(uninterrupted))
    assert not [name for name in first.scores if "camera" in name]
    for record in later:
        assert record.scores["camera/recycled_pa_mpjpe_mm"] > 0
        assert "camera/pa_mpjpe_mm" not in record.scores
        error_mm = record.scores["camera/recycled_pa_mpjpe_mm"]
        assert f", recycled camera {error_mm:.2f} mm" in record.to_text(rounds=3)


def test_losses_in_the_log_are_means_over_the_photographs_that_have_labels(uninterrupted: Path) -> None:
    """Half of the photographs have none, and would halve them."""
    for record in read_records(RunFolder(uninterrupted)):
        losses = record.losses
        weighted = 1000 * losses["original/joints"] + 100 * losses["original/verts"]
        weighted += 100 * losses["original/projected"] + 100 * losses["original/edges"]
        weighted += 10 * losses["original/normals"]
        assert losses["original"] == pytest.approx(weighted, rel=0.2)


def test_the_evaluation_says_in_a_line_that_there_is_nothing_to_score(uninterrupted: Path) -> None:
    reports = evaluate_sources(load_trained(uninterrupted), "training")
    assert reports.to_json()["sources"].keys() == {"made", "camera"}
    assert reports.to_json()["sources"]["camera"] is None
    assert reports.to_text().endswith(
        "camera: there are no meshes to score; metrics.jsonl has what can be measured, round by round."
    )


def test_the_gallery_and_the_sheet_show_photographs_without_labels(
    uninterrupted: Path, tmp_path: Path
) -> None:
    inspection = inspect_shards([uninterrupted])
    context = context_of(inspection)
    trained = network_of(context, device="cpu")
    write_run_gallery(tmp_path / "gallery.html", inspection, context, count=3, trained=trained)
    assert 'id="photo-camera-0000000' in (tmp_path / "gallery.html").read_text()
    assert draw_twin_sheet(inspection, context, count=3) is not None


def test_photographs_without_labels_are_marked_and_others_cost_nothing_for_it(tmp_path: Path) -> None:
    config = config_of(tmp_path)
    dataset = SourceDatasets.of(open_sources(config), config)
    without, whole = (
        collate([dataset[SampleKey(index, epoch=0, source=source)] for index in range(4)])
        for source in (0, 1)
    )
    assert whole.target.known is None
    assert without.target.known is not None
    assert not without.target.known.anything.any()
    assert without.target.verts_m.shape == whole.target.verts_m.shape


@pytest.mark.slow
def test_a_network_that_sees_boxes_sees_the_centre_of_photographs_without_labels(tmp_path: Path) -> None:
    config = config_of(tmp_path, model={**JOINT_READER, "box_margin": 1.3})
    report = train(config, renderer=PointRenderer(), resume=False)
    assert "camera/recycled_pa_mpjpe_mm" in report.records[-1].scores


def test_labels_that_are_missing_are_an_error_unless_none_are_expected(tmp_path: Path) -> None:
    config = two_sources(tmp_path, recycle=None)
    for annotation in (tmp_path / "real").glob("training_*.json"):
        annotation.unlink()
    with pytest.raises(DatasetError, match=r"real/training_K\.json: expected an annotation file"):
        train(config, renderer=None, resume=False)
