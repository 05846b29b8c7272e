"""HO-3D as published: OpenGL's axes, MANO's order of joints, absolute poses, two versions."""

import json
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from shared.camera import project_px
from shared.errors import DatasetError
from shared.freihand import FreiHandSplit
from tests.support.mano_files import python_2_pickle
from tests.support.published.hands import MARKED, Models, Source, colours_at
from tests.support.published.ho3d import INTRINSICS, write_annotation, write_ho3d
from trainer.import_dataset.importer import ImportSettings, import_dataset
from trainer.import_dataset.reader import LeftOut
from trainer.import_dataset.readers.ho3d import Ho3d


class Danger:
    """Would run if anybody unpickled it."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("it ran",)


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_both_versions_arrive_with_their_meshes(
    models: Models, tmp_path: Path, version: Literal["v2", "v3"]
) -> None:
    """Version 2 has PNGs and pickles of Python 2; the released labels of the evaluation split are used."""
    hands = write_ho3d(tmp_path / "source", models.right, version=version)
    report = import_dataset(
        Ho3d(tmp_path / "source"), tmp_path / "out", models.right, settings=ImportSettings()
    )
    assert report.images == {"training": 3, "evaluation": 2}
    assert not report.left_out
    shown = list(hands.values())
    for name, first in (("training", 0), ("evaluation", 3)):
        split = FreiHandSplit(tmp_path / "out", "training" if name == "training" else "evaluation")
        for index in range(len(split)):
            hand = shown[first + index]
            np.testing.assert_allclose(split.verts_m[index], hand.verts_m, atol=1e-5)
            np.testing.assert_allclose(split.joints_m[index], hand.joints_m, atol=1e-5)
            px = project_px(split.joints_m[index][list(MARKED)], split.camera(index))
            assert colours_at(split.image(index), px) == list(range(6))


def test_without_released_labels_the_evaluation_split_is_left_out(models: Models, tmp_path: Path) -> None:
    write_ho3d(tmp_path / "source", models.right, released=False)
    report = import_dataset(
        Ho3d(tmp_path / "source"), tmp_path / "out", models.right, settings=ImportSettings()
    )
    assert report.images == {"training": 3, "evaluation": 0}
    (reason,) = report.left_out
    assert reason.startswith(
        "the labels of the evaluation split (evaluation_xyz.json, evaluation_verts.json)"
    )


def test_recordings_can_be_held_out_of_the_training_split(ho3d: Source[str]) -> None:
    """The names begin with person and object, and end with the camera."""
    names = {(hand.subject, hand.sequence) for hand in Ho3d(ho3d.root).hands()}
    assert names == {("ABF", "ABF10"), ("MC", "MC1"), ("SM", "SM1")}


def test_frames_without_annotation_are_left_out(ho3d: Source[str], tmp_path: Path) -> None:
    """Such a pickle has None everywhere; in others the file is missing."""
    (tmp_path / "train").mkdir()
    (tmp_path / "train.txt").write_text("ABF10/0000\nABF10/0001\nABF10/0002\n")
    meta = tmp_path / "train" / "ABF10" / "meta"
    write_annotation(meta / "0000.pkl", {"camMat": INTRINSICS, "handPose": None, "objRot": None})
    write_annotation(meta / "0001.pkl", {"camMat": None, "handPose": None})
    reader = Ho3d(tmp_path)
    for hand, reason in zip(reader.hands(), ["not annotated", "not annotated", "missing"], strict=True):
        with pytest.raises(LeftOut, match=reason):
            reader.labels(hand)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (python_2_pickle({"camMat": np.eye(2), "handPose": np.zeros(3)}), "not annotated"),
        (b"no pickle", r"0000\.pkl: expected HO-3D's pickle, found something unreadable"),
        (b"", r"0000\.pkl: expected HO-3D's pickle, found something unreadable"),
    ],
)
def test_a_damaged_annotation_is_one_clear_error(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "train" / "MC1" / "meta").mkdir(parents=True)
    (tmp_path / "train" / "MC1" / "meta" / "0000.pkl").write_bytes(data)
    (tmp_path / "train.txt").write_text("MC1/0000\n")
    reader = Ho3d(tmp_path)
    with pytest.raises((DatasetError, LeftOut), match=message):
        reader.labels(next(reader.hands()))


def test_nothing_in_an_annotation_is_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_annotation(tmp_path / "train" / "MC1" / "meta" / "0000.pkl", {"camMat": Danger()})
    (tmp_path / "train.txt").write_text("MC1/0000\n")
    reader = Ho3d(tmp_path)
    with pytest.raises(DatasetError, match=r"found (builtins|__builtin__)\.print, which was not run"):
        reader.labels(next(reader.hands()))
    assert capsys.readouterr().out == ""


def test_numbers_of_another_size_are_one_clear_error(models: Models, tmp_path: Path) -> None:
    write_ho3d(tmp_path, models.right)
    content: dict[str, object] = {
        "camMat": INTRINSICS,
        "handPose": np.zeros(48),
        "handBeta": np.zeros(12),
        "handTrans": np.zeros(3),
        "handJoints3D": np.zeros((21, 3)),
    }
    write_annotation(tmp_path / "train" / "ABF10" / "meta" / "0000.pkl", content)
    reader = Ho3d(tmp_path)
    with pytest.raises(DatasetError, match="expected handBeta of 10 numbers, found 12"):
        reader.labels(next(reader.hands()))


def test_another_folder_and_another_list_are_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"expected HO-3D with train/ and train\.txt, found no such thing"):
        Ho3d(tmp_path)
    (tmp_path / "train").mkdir()
    (tmp_path / "train.txt").write_text("../../etc/passwd\n")
    with pytest.raises(DatasetError, match=r"expected lines such as ABF10/0021, found \.\./\.\./etc"):
        Ho3d(tmp_path)


def test_released_labels_of_another_version_are_refused(models: Models, tmp_path: Path) -> None:
    write_ho3d(tmp_path, models.right)
    path = tmp_path / "evaluation_xyz.json"
    path.write_text(json.dumps(json.loads(path.read_text())[:1]))
    reader = Ho3d(tmp_path)
    last = list(reader.hands())[-1]
    with pytest.raises(DatasetError, match=r"labels of the 2 photographs of evaluation\.txt, found 1 and 2"):
        reader.labels(last)
