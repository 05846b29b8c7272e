"""InterHand2.6M as published: world axes in millimetres, tips first, two hands in a photograph."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from shared.camera import project_px
from shared.errors import DatasetError
from shared.freihand import FreiHandSplit
from shared.hand_model.left_hand import MIRROR
from shared.types import Side
from tests.support.published.hands import MARKED, Models, Source, colours_at
from trainer.import_dataset.importer import ImportSettings, import_dataset
from trainer.import_dataset.reader import LeftOut
from trainer.import_dataset.readers.interhand import InterHand

type Hands = Source[tuple[str, Side]]


def test_single_and_interacting_hands_arrive_as_right_hands(
    interhand: Hands, models: Models, tmp_path: Path
) -> None:
    report = import_dataset(InterHand(interhand.root), tmp_path, models.right, settings=ImportSettings())
    assert report.images == {"training": 4, "evaluation": 4}
    assert not report.left_out
    lines = (tmp_path / "training_sources.jsonl").read_text().splitlines()
    split = FreiHandSplit(tmp_path, "training")
    for index, line in enumerate(map(json.loads, lines)):
        hand = interhand.hands[line["photograph"], line["side"]]
        mirror = MIRROR if hand.side == "left" else 1
        np.testing.assert_allclose(split.verts_m[index], hand.verts_m * mirror, atol=1e-5)
        np.testing.assert_allclose(split.joints_m[index], hand.joints_m * mirror, atol=1e-5)
        px = project_px(split.joints_m[index][list(MARKED)], split.camera(index))
        assert colours_at(split.image(index), px) == list(range(6))
    assert [json.loads(line)["side"] for line in lines] == ["right", "left", "right", "left"]


def test_the_validation_split_is_in_neither_but_can_be_chosen(interhand: Hands, tmp_path: Path) -> None:
    shutil.copytree(interhand.root / "annotations" / "test", tmp_path / "annotations" / "val")
    for path in (tmp_path / "annotations" / "val").iterdir():
        path.rename(path.with_name(path.name.replace("_test_", "_val_")))
    (tmp_path / "images").mkdir()
    hands = list(InterHand(tmp_path).hands())
    assert {(hand.split, hand.subject, hand.sequence.rpartition("_")[0]) for hand in hands} == {
        (None, "subject-3", "val/Capture8/0012")
    }


def test_invalid_joints_are_unknown_and_hands_without_parameters_left_out(
    interhand: Hands, tmp_path: Path
) -> None:
    shutil.copytree(interhand.root, tmp_path, dirs_exist_ok=True)
    folder = tmp_path / "annotations" / "train"
    joints = json.loads((folder / "InterHand2.6M_train_joint_3d.json").read_text())
    joints["7"]["0"]["joint_valid"][20] = [0]  # the wrist
    (folder / "InterHand2.6M_train_joint_3d.json").write_text(json.dumps(joints))
    mano = json.loads((folder / "InterHand2.6M_train_MANO_NeuralAnnot.json").read_text())
    mano["7"]["6"]["left"] = None
    del mano["7"]["12"]
    (folder / "InterHand2.6M_train_MANO_NeuralAnnot.json").write_text(json.dumps(mano))
    reader = InterHand(tmp_path)
    hands = list(reader.hands())
    joints_m = reader.labels(hands[0]).joints_m
    assert joints_m is not None
    assert np.flatnonzero(np.isnan(joints_m).any(axis=1)).tolist() == [0]
    for hand in hands[1:4]:
        with pytest.raises(LeftOut, match="there are no MANO parameters"):
            reader.labels(hand)
    cameras = folder / "InterHand2.6M_train_camera.json"
    cameras.write_text("{}")
    with pytest.raises(LeftOut, match="the camera is not annotated"):
        InterHand(tmp_path).labels(hands[0])


def test_a_photograph_with_two_hands_is_decoded_once(
    interhand: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []

    def counting(path: Path) -> np.ndarray:
        decoded.append(path)
        return np.zeros((4, 4, 3), np.uint8)

    monkeypatch.setattr("trainer.import_dataset.readers.interhand.read_photograph", counting)
    reader = InterHand(interhand.root)
    for hand in reader.hands():
        reader.photograph(hand)
    assert len(decoded) == len(set(decoded)) == 6


def test_missing_and_damaged_annotations_are_one_clear_error(interhand: Hands, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"expected InterHand2\.6M with images/ and annotations/train/"):
        InterHand(tmp_path)
    shutil.copytree(interhand.root, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "annotations" / "test" / "InterHand2.6M_test_camera.json"
    path.write_text("{")
    with pytest.raises(DatasetError, match=r"InterHand2.6M_test_camera.json: expected JSON"):
        list(InterHand(tmp_path).hands())
    path.unlink()
    with pytest.raises(DatasetError, match=r"test_camera.json: expected an annotation file, found none"):
        InterHand(tmp_path)
    data = tmp_path / "annotations" / "train" / "InterHand2.6M_train_data.json"
    path.write_text("{}")
    data.write_text("[]")
    with pytest.raises(DatasetError, match="expected images and annotations, found something else"):
        list(InterHand(tmp_path).hands())
