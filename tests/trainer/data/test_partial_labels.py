"""Sources that know less than meshes: joints in space, or joints in the photograph."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.errors import DatasetError
from shared.freihand import FreiHandSplit, LabelKind
from shared.freihand.label_check import check_labels
from shared.hand_model import load_hand_model
from tests.support.small_dataset import small_split
from tests.support.small_run import JOINT_READER, small_config
from trainer.config.run import TrainConfig
from trainer.data.dataset import HandDataset, collate
from trainer.data.sampling import SampleKey
from trainer.training.loop import train

HIDDEN = 7
"""A joint that no keypoint file knows here."""


def write_less(root: Path, labels: LabelKind, *, num_images: int = 6) -> FreiHandSplit:
    """Write a small split, and delete what such a data set does not have."""
    whole = small_split(root, "training", num_images=num_images)
    if labels == "keypoints":
        keypoints = []
        for pose in range(whole.num_poses):
            places_px, known = whole.places_px(pose)
            keypoints.append(np.column_stack((places_px, 2 * known)))
            keypoints[-1][HIDDEN] = 0
        (root / "training_keypoints.json").write_text(json.dumps([each.tolist() for each in keypoints]))
    for kind in ("verts", "mano", "scale", *(("K", "xyz") if labels == "keypoints" else ())):
        (root / f"training_{kind}.json").unlink()
    return FreiHandSplit(root, "training", labels=labels)


def dataset_of(split: FreiHandSplit, **changes: Any) -> HandDataset:
    return HandDataset(split, crop_px=56, input_px=32, num_verts=778, **changes)


@pytest.mark.parametrize("box_margin", [None, 1.3])
@pytest.mark.parametrize("labels", ["joints", "keypoints"])
def test_what_is_known_is_as_in_a_data_set_that_knows_everything(
    tmp_path: Path, labels: LabelKind, box_margin: float | None
) -> None:
    whole = small_split(tmp_path / "whole", "training", num_images=6)
    less = write_less(tmp_path / "less", labels)
    margin = box_margin if labels == "joints" else None  # a hidden joint may change the box
    found, wanted = (
        collate([dataset_of(each, box_margin=margin)[SampleKey(index, epoch=2)] for index in range(6)])
        for each in (less, whole)
    )
    assert np.array_equal(found.photos, wanted.photos)
    known, ours, theirs = found.target.known, found.target, wanted.target
    assert known is not None
    assert theirs.known is None
    assert not known.verts.any()
    np.testing.assert_allclose(
        ours.joints_ndc[known.places], theirs.joints_ndc[known.places], rtol=0, atol=1e-5
    )
    assert known.joints.all() == (labels == "joints")
    if labels == "joints":
        assert np.array_equal(ours.joints_m, theirs.joints_m)
        assert known.places.all()
    else:
        assert (~known.places).sum(dim=0).tolist() == [6 if joint == HIDDEN else 0 for joint in range(21)]


def test_boxes_are_about_the_joints_that_are_known(tmp_path: Path) -> None:
    split = write_less(tmp_path, "keypoints")
    sample = dataset_of(split, box_margin=2.0)[SampleKey(0)].photo.labels
    places = sample.joints_ndc[sample.knows_places]
    low, high = places.min(axis=0), places.max(axis=0)
    np.testing.assert_allclose(low + high, 0, atol=1e-5)
    assert (high - low).max() == pytest.approx(1)


def run_config(folder: Path, **changes: Any) -> TrainConfig:
    small_split(folder / "whole", "training", num_images=6)
    write_less(folder / "bones", "joints")
    write_less(folder / "coco", "keypoints")
    sources = [
        {"root": folder / "coco", "share": 0.25, "labels": "keypoints"},
        {"root": folder / "bones", "share": 0.25, "labels": "joints"},
        {"root": folder / "whole", "share": 0.5},
    ]
    data = {
        "sources": sources,
        "epoch_samples": 12,
        "crop_px": 56,
        "input_px": 64,
        "batch_size": 4,
        "workers": 0,
        "held_out_share": 0.3,
    }
    return small_config(folder, rounds=2, data=data, recycle=None, **changes)


def test_a_run_learns_from_all_kinds_and_scores_each_by_what_it_knows(tmp_path: Path) -> None:
    config = run_config(tmp_path, model={**JOINT_READER, "box_margin": 1.3})
    report = train(config, renderer=None, resume=False)
    for record in report.records:
        assert {"original/heat", "original/verts", "original/projected"} <= record.losses.keys()
        assert record.scores["bones/pa_mpjpe_mm"] > 0
        assert 0 < record.scores["coco/places_percent"] < 100
        assert record.scores["pa_mpjpe_mm"] > 0
        assert not [name for name in record.scores if name.startswith("whole/")]


def test_damaged_labels_are_one_clear_line(tmp_path: Path) -> None:
    model = load_hand_model()
    keypoints = write_less(tmp_path / "coco", "keypoints")
    check_labels(keypoints, model)
    path = tmp_path / "coco/training_keypoints.json"
    table = np.array(json.loads(path.read_text()))
    table[2, :, 2] = 0
    table[4, :, :2] += 1000
    path.write_text(json.dumps(table.tolist()))
    with pytest.raises(
        DatasetError, match=r"joints in the photographs.*, found 2 of 6 \(00000002, 00000004\)"
    ):
        check_labels(FreiHandSplit(tmp_path / "coco", "training", labels="keypoints"), model)
    write_less(tmp_path / "bones", "joints")
    check_labels(FreiHandSplit(tmp_path / "bones", "training", labels="joints"), model)
    path = tmp_path / "bones/training_xyz.json"
    path.write_text(json.dumps((1000 * np.array(json.loads(path.read_text()))).tolist()))
    with pytest.raises(DatasetError, match="expected hands in metres, found 6 of 6"):
        check_labels(FreiHandSplit(tmp_path / "bones", "training", labels="joints"), model)
    with pytest.raises(DatasetError, match=r"training_verts\.json, found no such file.*The key labels of"):
        check_labels(FreiHandSplit(tmp_path / "bones", "training"), model)
