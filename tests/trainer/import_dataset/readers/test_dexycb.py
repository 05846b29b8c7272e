"""DexYCB as published: principal components, one shape per person and side, four ways to split."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.camera import project_px
from shared.errors import DatasetError
from shared.freihand import FreiHandSplit
from shared.hand_model.left_hand import MIRROR
from tests.support.published.dexycb import SERIALS, write_dexycb, write_labels
from tests.support.published.hands import MARKED, Models, Source, colours_at
from trainer.import_dataset.importer import ImportSettings, import_dataset
from trainer.import_dataset.reader import LeftOut
from trainer.import_dataset.readers.dexycb import DexYcb


def test_hands_of_both_sides_arrive_as_right_hands(
    dexycb: Source[str], models: Models, tmp_path: Path
) -> None:
    """Recording 0 of the first subject is right and trained on, 4 of the third left and tested on."""
    report = import_dataset(
        DexYcb(dexycb.root), tmp_path, models.right, left_model=models.left, settings=ImportSettings()
    )
    assert report.images == {"training": 2, "evaluation": 2}
    assert not report.left_out
    for name in ("training", "evaluation"):
        split = FreiHandSplit(tmp_path, "training" if name == "training" else "evaluation")
        hands = [hand for hand in dexycb.hands.values() if (hand.side == "right") == (name == "training")]
        for index, hand in enumerate(hands):
            mirror = MIRROR if hand.side == "left" else 1
            np.testing.assert_allclose(split.verts_m[index], hand.verts_m * mirror, atol=1e-5)
            np.testing.assert_allclose(split.joints_m[index], hand.joints_m * mirror, atol=1e-5)
            px = project_px(split.joints_m[index][list(MARKED)], split.camera(index))
            assert colours_at(split.image(index), px) == list(range(6))


def test_the_silhouette_is_cut_out_like_the_photograph(
    dexycb: Source[str], models: Models, tmp_path: Path
) -> None:
    """In the miniature it is the box around the hand; objects, and other numbers, do not belong to it."""
    import_dataset(
        DexYcb(dexycb.root), tmp_path, models.right, left_model=models.left, settings=ImportSettings()
    )
    split = FreiHandSplit(tmp_path, "evaluation")
    px = project_px(split.verts_m[0], split.camera(0))
    with Image.open(tmp_path / "evaluation" / "mask" / "00000000.jpg") as picture:
        mask = np.asarray(picture.convert("L")) > 127
    rows, columns = np.nonzero(mask)
    np.testing.assert_allclose((columns.min(), rows.min()), px.min(axis=0), atol=2)
    np.testing.assert_allclose((columns.max(), rows.max()), px.max(axis=0), atol=2)


def test_left_hands_are_left_out_without_the_file_that_they_were_made_with(
    dexycb: Source[str], models: Models, tmp_path: Path
) -> None:
    """A mirrored right hand has the sign of its shapes right, and so gives other meshes."""
    report = import_dataset(DexYcb(dexycb.root), tmp_path, models.right, settings=ImportSettings())
    assert report.images == {"training": 2, "evaluation": 0}
    assert report.left_out == {"left hands need MANO_LEFT.pkl (--left-hand-model)": 2}


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        # Of a subject's hundred recordings, every fifth; both of the first two subjects are for validation.
        ("s0", {(1, "training"): 640, (1, None): 160, (3, "training"): 640, (3, "evaluation"): 160}),
        ("s1", {(1, "training"): 800, (3, "training"): 800, (7, None): 800, (8, "evaluation"): 800}),
        # Of eight cameras, the seventh is for validation, the last for tests.
        ("s2", {(1, "training"): 600, (1, None): 100, (1, "evaluation"): 100}),
        # Of twenty objects, two are for validation, three for tests.
        ("s3", {(1, "training"): 600, (1, None): 80, (1, "evaluation"): 120}),
    ],
)
def test_its_own_splits_are_those_of_its_toolkit(
    tmp_path: Path, protocol: str, expected: dict[tuple[int, str | None], int]
) -> None:
    for subject in sorted({subject for subject, _ in expected}):
        for recording in range(100):
            folder = tmp_path / f"20200709-subject-{subject:02d}" / f"20200709_{recording:06d}"
            folder.mkdir(parents=True)
            serials = ", ".join(f"'{serial}'" for serial in SERIALS)
            (folder / "meta.yml").write_text(
                f"serials: [{serials}]\nnum_frames: 1\nmano_sides: [right]\nmano_calib: [somebody]\n"
            )
    (tmp_path / "calibration").mkdir()
    hands = DexYcb(tmp_path, protocol=protocol).hands()
    assert Counter((int(hand.subject[-2:]), hand.split) for hand in hands) == expected


def test_frames_without_a_hand_are_left_out(dexycb: Source[str], tmp_path: Path) -> None:
    """Poses are zeros there, and joints -1."""
    reader = DexYcb(dexycb.root)
    hand = next(reader.hands())
    copy = tmp_path / "dex"
    _link(dexycb.root, copy)
    labels = copy / hand.photograph.replace("color_", "labels_").replace(".jpg", ".npz")
    labels.unlink()
    with pytest.raises(LeftOut, match="the annotation is missing"):
        DexYcb(copy).labels(hand)
    write_labels(labels)
    with pytest.raises(LeftOut, match="no hand is annotated"):
        DexYcb(copy).labels(hand)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("labels_000000.npz", "no archive", r"labels_000000\.npz: expected an \.npz of labels, found"),
        ("../meta.yml", "num_frames: [", r"meta\.yml: expected YAML, found"),
        ("../meta.yml", "num_frames: 3", r"found none of the name serials, mano_sides, mano_calib"),
        (
            "../meta.yml",
            "{serials: ['1'], num_frames: 1, mano_sides: [both], mano_calib: [x]}",
            r"expected mano_sides with left or right, found \['both'\]",
        ),
    ],
)
def test_a_damaged_file_is_one_clear_error(
    dexycb: Source[str], tmp_path: Path, name: str, content: str, message: str
) -> None:
    copy = tmp_path / "dex"
    _link(dexycb.root, copy)
    hand = next(DexYcb(dexycb.root).hands())
    path = (copy / hand.photograph).parent / name
    path.unlink()
    path.write_text(content)
    reader = DexYcb(copy)
    with pytest.raises(DatasetError, match=message):
        reader.labels(next(reader.hands()))


def test_labels_of_another_size_are_one_clear_error(dexycb: Source[str], tmp_path: Path) -> None:
    copy = tmp_path / "dex"
    _link(dexycb.root, copy)
    hand = next(DexYcb(dexycb.root).hands())
    labels = copy / hand.photograph.replace("color_", "labels_").replace(".jpg", ".npz")
    labels.unlink()
    write_labels(labels, pose_m=np.zeros((1, 48), np.float32))
    with pytest.raises(DatasetError, match="pose_m of 51 and joint_3d of 63 numbers, found 48 and 63"):
        DexYcb(copy).labels(hand)


def test_a_subject_that_is_not_complete_is_refused(models: Models, tmp_path: Path) -> None:
    """The splits count recordings."""
    write_dexycb(tmp_path, models.right, models.left, frames={(1, 0): 0})
    folder = next(path for path in sorted((tmp_path / "20200709-subject-01").iterdir()))
    (folder / "meta.yml").unlink()
    folder.rmdir()
    with pytest.raises(DatasetError, match=r"subject-01: expected 100 recordings, .* found 99"):
        next(DexYcb(tmp_path).hands())


def test_another_folder_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="expected DexYCB with calibration/ and 20200709-subject-01/"):
        DexYcb(tmp_path)


def _link(source: Path, copy: Path) -> None:
    """Copy a tree without its bytes."""
    for path in source.rglob("*"):
        target = copy / path.relative_to(source)
        if path.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.hardlink_to(path)
