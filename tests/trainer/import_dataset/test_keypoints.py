"""Hands of COCO-WholeBody become squares with keypoints, pixel by pixel, and a source that trains."""

import json
from pathlib import Path

import numpy as np
import pytest

from shared.errors import DatasetError
from shared.freihand import FreiHandSplit
from shared.freihand.label_check import check_labels
from shared.hand_model import load_hand_model
from tests.support.kill_points import Killed, killing_call
from tests.support.published.coco_wholebody import keypoints_at, write_coco_wholebody
from trainer.import_dataset.keypoints import import_keypoints
from trainer.import_dataset.readers.coco_wholebody import CocoWholeBody
from trainer.import_dataset.record import SourceRecord


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("coco")
    write_coco_wholebody(root)
    return root


@pytest.fixture(scope="module")
def imported(coco: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("imported") / "coco"
    report = import_keypoints(CocoWholeBody(coco), out, margin=1.5)
    assert report.images == {"training": 2, "evaluation": 1}
    assert report.left_out == {
        "the hand is smaller than 32 pixels": 1,
        "fewer than 6 joints are known": 1,
        "the photograph is missing": 1,
    }
    return out


@pytest.mark.parametrize(("split", "index", "hand"), [
    ("training", 0, keypoints_at(20, 60, 60, unknown=3)),
    ("training", 1, keypoints_at(120, 40, 80)),
    ("evaluation", 0, keypoints_at(60, 30, 70)),
])  # fmt: skip
def test_every_joint_is_at_the_colour_that_it_had(
    imported: Path, split: str, index: int, hand: np.ndarray
) -> None:
    """The first hand of a person is the left one, which is mirrored, but keeps its colours."""
    found = FreiHandSplit(imported, split, labels="keypoints")  # type: ignore[arg-type]
    rgb, (places_px, known) = found.image(index), found.places_px(index)
    assert known.tolist() == (hand[:, 2] > 0).tolist()
    assert found.keypoints[index, known, 2].tolist() == hand[known, 2].tolist()
    for place_px, joint in zip(places_px[known], hand[known], strict=True):
        column, row = np.rint(place_px).astype(int)
        np.testing.assert_allclose(rgb[row, column, :2], joint[:2], atol=2.5)


def test_the_result_is_a_source(imported: Path) -> None:
    check_labels(FreiHandSplit(imported, "training", labels="keypoints"), load_hand_model())


def test_an_interrupted_import_ends_with_the_same_bytes(
    coco: Path, imported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        killing_call(patch, SourceRecord, "kept", call=2)
        with pytest.raises(Killed):
            import_keypoints(CocoWholeBody(coco), tmp_path / "out", margin=1.5)
    import_keypoints(CocoWholeBody(coco), tmp_path / "out", margin=1.5)
    for path in imported.rglob("*.*"):
        if path.is_file():
            assert (tmp_path / "out" / path.relative_to(imported)).read_bytes() == path.read_bytes(), path


def test_another_folder_and_a_damaged_file_are_one_clear_line(coco: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"expected annotations/coco_wholebody_train_v1\.0\.json"):
        CocoWholeBody(tmp_path)
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations/coco_wholebody_val_v1.0.json").write_text(json.dumps({"annotations": []}))
    with pytest.raises(DatasetError, match="expected the annotations of COCO-WholeBody, found a problem"):
        CocoWholeBody(tmp_path)
