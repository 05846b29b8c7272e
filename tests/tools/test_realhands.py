"""The real photographs that anybody can make: right labels, whole pictures, one line for every mistake."""

import hashlib
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from shared.errors import DatasetError
from shared.freihand import FreiHandSplit
from shared.hand_model import HandModel, load_hand_model
from shared.hand_model.model import FINGER_CHAINS
from shared.skeleton import FINGERS
from trainer.hands.posing import PosedHand

pytest.importorskip("tools.realhands", reason="the build tools are not part of an installed package")

from tools.realhands.__main__ import main
from tools.realhands.build import build, camera_hand
from tools.realhands.clone import read_photographs
from tools.realhands.hands import Skeleton, pose_hand
from tools.realhands.labels import HASH_BYTES, LABELS, QUALITIES, Labels, load_labels
from tools.realhands.pictures import SIZE_PX, enlarge, mask_jpeg, photograph_jpeg, silhouette, skin_of


@pytest.fixture(scope="module")
def labels() -> Labels:
    return load_labels()


@pytest.fixture(scope="module")
def model() -> HandModel:
    return load_hand_model()


def photograph(seed: int) -> bytes:
    """A pink square before a bluish wall, 100 x 100."""
    pixels = np.random.default_rng(seed).integers(150, 160, (100, 100, 3), dtype=np.uint8)
    pixels[..., 2] += 20
    pixels[30:80, 20:60] = (200, 140, 110)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95)
    return file.getvalue()


@pytest.fixture
def few(labels: Labels, tmp_path: Path) -> tuple[Path, Labels]:
    """A clone of three photographs with the labels of real ones: two to train with, one to evaluate with."""
    rows = [3, 4, labels.num_training]
    clone = tmp_path / "clone"
    contents = [photograph(row) for row in rows]
    for row, content in zip(rows, contents, strict=True):
        path = clone / "Dataset" / labels.files[row]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (clone / "LICENSE").write_text("Apache License")
    return clone, replace(
        labels,
        files=tuple(labels.files[row] for row in rows),
        hashes=tuple(hashlib.sha256(content).digest()[:HASH_BYTES] for content in contents),
        num_training=2,
        person=labels.person[rows],
        pad_px=np.array([0, 3, 0]),
        pose_rad=labels.pose_rad[rows],
        place=labels.place[rows],
        quality=labels.quality[rows],
    )


def test_the_labels_are_small_and_hold_plain_arrays() -> None:
    assert LABELS.stat().st_size < 600_000
    with np.load(LABELS, allow_pickle=False) as archive:
        assert {archive[name].dtype.kind for name in archive} <= set("iufS")


def test_every_photograph_is_known_once_and_every_person_is_in_one_split(labels: Labels) -> None:
    assert {name: len(photos) for name, photos in labels.splits.items()} == {
        "training": 1655,
        "evaluation": 292,
    }
    assert len(set(labels.files) | set(labels.dropped)) == len(labels) + len(labels.dropped) == 2062
    assert len(set(labels.hashes)) == len(labels)
    train, test = (set(labels.person[photos].tolist()) for photos in labels.splits.values())
    assert not train & test
    assert train | test == set(range(len(labels.shapes)))


def test_the_embedded_hand_gives_the_mesh_that_was_fitted(labels: Labels, model: HandModel) -> None:
    """The file holds one mesh as it was published, rounded to 0.01 mm; a rebuilt hand could lose it."""
    with np.load(LABELS) as archive:
        published_m = archive["control_verts_e6"] / 1e6
    hand = camera_hand(labels, model, labels.num_training)
    assert np.linalg.norm(hand.verts_m - published_m, axis=1).max() < 0.01e-3


def test_hands_are_posed_as_smplx_poses_them(labels: Labels, model: HandModel) -> None:
    """With the hand model's own joints; their fingertips are nobody's."""
    rest_m = np.zeros((21, 3))
    shape_dirs = np.zeros((21, 3, 10))
    regressor = model.skin_joint_regressor.astype(float)
    places = {0: 0} | {FINGERS[f][k]: chain[k] for f, chain in FINGER_CHAINS.items() for k in range(3)}
    for joint, skin_joint in places.items():
        rest_m[joint] = regressor[skin_joint] @ model.template_m
        shape_dirs[joint] = np.einsum("v,vcs->cs", regressor[skin_joint], model.shape_dirs)
    skeleton = Skeleton(rest_m, shape_dirs)
    layer = PosedHand(model)
    for photo in (0, 700, 1900):
        pose, shape = labels.pose_rad[photo], labels.shapes[labels.person[photo]]
        ours = pose_hand(model, skeleton, pose=pose, shape=shape)
        theirs = layer(torch.from_numpy(pose[None]).float(), torch.from_numpy(shape[None]).float())
        np.testing.assert_allclose(ours.verts_m, theirs.verts_m[0].numpy(), atol=1e-6)
        for joint, skin_joint in places.items():
            np.testing.assert_allclose(ours.joints_m[joint], theirs.skin_joints_m[0, skin_joint], atol=1e-6)


def test_joints_are_those_that_networks_regress(labels: Labels, model: HandModel) -> None:
    """About a millimetre on average, as for the published set: the regressor is of a later build."""
    errors_m = []
    for photo in range(0, len(labels), 20):
        hand = camera_hand(labels, model, photo)
        errors_m.append(np.linalg.norm(model.joint_regressor @ hand.verts_m - hand.joints_m, axis=1))
    assert np.mean(errors_m, axis=0).max() < 1.1e-3
    assert np.mean(errors_m) < 0.3e-3


def test_a_built_data_set_is_one_in_freihands_layout(few: tuple[Path, Labels], tmp_path: Path) -> None:
    clone, labels = few
    out = tmp_path / "data" / "realhands"
    build(clone, out, labels)
    model = load_hand_model()
    for name, photos in labels.splits.items():
        split = FreiHandSplit(out, name)
        assert (len(split), split.num_versions, split.image_px) == (len(photos), 1, SIZE_PX)
        for index, photo in enumerate(photos):
            hand = camera_hand(labels, model, photo)
            np.testing.assert_allclose(split.verts_m[index], hand.verts_m, atol=1e-6)
            np.testing.assert_allclose(split.joints_m[index], hand.joints_m, atol=1e-6)
            np.testing.assert_allclose(split.mano[index, 58:], labels.place[photo], rtol=1e-6)
            bone_m = np.linalg.norm(hand.joints_m[10] - hand.joints_m[9])
            scales = json.loads((out / f"{name}_scale.json").read_text())
            assert scales[index] == pytest.approx(bone_m, abs=1e-6)
            seen_px = split.intrinsics[index] @ split.joints_m[index, 9]
            np.testing.assert_allclose(seen_px[:2] / seen_px[2], labels.place[photo, :2], atol=1e-3)
            _check_pictures(out / name, index, hand.points_px())
            original = (clone / "Dataset" / labels.files[photo]).read_bytes()
            expected = enlarge(original, pad_px=int(labels.pad_px[photo]), where="a photograph")
            assert np.abs(split.image(index).astype(int) - expected).mean() < 1.2, "no more than JPEG costs"
    assert (out / "LICENSE-Sign-Language-Digits-Dataset.txt").read_text() == "Apache License"
    assert "Apache-2.0" in (out / "NOTICE.txt").read_text()
    about = json.loads((out / "meta.json").read_text())
    assert [row["file"] for row in about["training"]] == [f"Dataset/{name}" for name in labels.files[:2]]
    assert about["training"][1]["pad_px"] == 6.3
    assert set(QUALITIES) < set(about["evaluation"][0])
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def _check_pictures(folder: Path, index: int, points_px: np.ndarray) -> None:
    with Image.open(folder / "mask" / f"{index:08d}.jpg") as picture:
        inside = np.asarray(picture) > 127
    pixels = np.rint(points_px).astype(int)
    pixels = pixels[((pixels >= 0) & (pixels < SIZE_PX)).all(1)]
    assert inside[pixels[:, 1], pixels[:, 0]].mean() > 0.9
    with Image.open(folder / "skin" / f"{index:08d}.png") as picture:
        assert picture.mode == "1"
        assert 0.1 < np.asarray(picture).mean() < 0.3


def test_a_padded_photograph_repeats_its_outermost_pixels() -> None:
    file = io.BytesIO()
    Image.fromarray(np.tile(np.array([[0, 255]], np.uint8), (100, 50))).save(file, "PNG")
    padded = enlarge(file.getvalue(), pad_px=28, where="a photograph")
    assert padded.shape == (SIZE_PX, SIZE_PX, 3)
    band = int(28 * SIZE_PX / 156) - 6  # away from the overshoot of the filter
    assert (padded[:, :band] == 0).all()
    assert (padded[:, -band:] == 255).all()


@pytest.mark.parametrize("shift_px", [0.0, 0.25, 0.5])
def test_a_silhouette_covers_as_much_of_a_pixel_as_the_mesh(shift_px: float) -> None:
    """A square of whole pixels, then moved by parts of one; OpenCV draws borders a fine pixel too wide."""
    square = np.array([[9.5, 9.5], [19.5, 9.5], [19.5, 29.5], [9.5, 29.5]])
    square[:, 0] += shift_px
    coverage = silhouette(square, np.array([[0, 1, 2], [0, 2, 3]], np.int32))
    assert (coverage[12:27, 12:18] == 255).all()
    assert coverage[:9].max() == coverage[31:].max() == coverage[:, 22:].max() == 0
    assert abs(coverage[20, 10] / 255 - (1 - shift_px)) <= 0.26


def test_skin_is_the_largest_warm_piece() -> None:
    rgb = np.full((60, 60, 3), 170, np.uint8)
    rgb[10:50, 10:30] = (190, 140, 120)
    rgb[5:12, 45:52] = (190, 140, 120)
    expected = np.zeros((60, 60), bool)
    expected[10:50, 10:30] = True
    assert (skin_of(rgb) != expected).sum() <= 8, "corners are rounded"


def not_there(clone: Path) -> None:
    clone.rename(clone.with_name("elsewhere"))


def something_else(clone: Path) -> None:
    (clone / "Dataset").rename(clone / "Pictures")


def one_missing(clone: Path) -> None:
    min(clone.glob("Dataset/*/*.JPG")).unlink()


def one_changed(clone: Path) -> None:
    min(clone.glob("Dataset/*/*.JPG")).write_bytes(photograph(99))


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (not_there, "with a folder Dataset, found no such folder. Run git clone"),
        (something_else, "with a folder Dataset, found only LICENSE, Pictures. Run git clone"),
        (one_missing, "labelled photographs of commit 4b09433e, found 1 missing, the first one "),
        (one_changed, "labelled photographs of commit 4b09433e, found 1 with other content, the first one "),
    ],
)
def test_a_clone_that_is_none_is_refused_before_anything_is_written(
    few: tuple[Path, Labels], tmp_path: Path, spoil: Callable[[Path], None], complaint: str
) -> None:
    clone, labels = few
    spoil(clone)
    out = tmp_path / "new" / "realhands"
    with pytest.raises(DatasetError) as caught:
        build(clone, out, labels)
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not out.parent.exists()


def test_a_folder_with_something_in_it_is_left_as_it_is(few: tuple[Path, Labels], tmp_path: Path) -> None:
    clone, labels = few
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("precious")
    with pytest.raises(DatasetError, match=r"out: expected a new or empty folder, found one that is not emp"):
        build(clone, out, labels)
    with pytest.raises(DatasetError, match=r"mine\.txt: expected a new or empty folder, found a file"):
        build(clone, out / "mine.txt", labels)
    assert [path.read_text() for path in out.iterdir()] == ["precious"]


def test_an_empty_folder_is_taken_even_where_one_stands(
    few: tuple[Path, Labels], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone, labels = few
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    build(clone, Path(), labels)
    assert (tmp_path / "out" / "training_K.json").exists()


def test_an_interrupted_run_leaves_nothing(
    few: tuple[Path, Labels], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone, labels = few
    monkeypatch.setattr("tools.realhands.build.skin_png", lambda skin: 1 / 0)
    (tmp_path / "new").mkdir()
    with pytest.raises(ZeroDivisionError):
        build(clone, tmp_path / "new" / "out", labels)
    assert list((tmp_path / "new").iterdir()) == []


def test_pytorch_is_not_needed() -> None:
    code = "import sys, tools.realhands.__main__; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_command_ends_a_mistake_with_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main([str(tmp_path / "none"), "--out", str(tmp_path / "out")])
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith(f"Error: {tmp_path / 'none'}: expected a clone of https://")


def without_a_field(path: Path) -> None:
    with np.load(LABELS) as archive:
        np.savez(path, allow_pickle=False, **{name: archive[name] for name in archive if name != "person"})


def with_one_row_too_few(path: Path) -> None:
    with np.load(LABELS) as archive:
        fields = {name: archive[name] for name in archive}
    np.savez(path, allow_pickle=False, **fields | {"pose_e6": fields["pose_e6"][1:]})


def cut_short(path: Path) -> None:
    path.write_bytes(LABELS.read_bytes()[:1000])


def of_a_pickle(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        array = io.BytesIO()
        np.save(array, np.array([{}], dtype=object), allow_pickle=True)
        archive.writestr("files.npy", array.getvalue())


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda path: None, "expected the labels, found No such file"),
        (without_a_field, "expected a field person, found none"),
        (with_one_row_too_few, "expected pose_e6 of size 1947 x 48, found 1946 x 48"),
        (cut_short, "expected an .npz of plain arrays, found "),
        (of_a_pickle, "expected an .npz of plain arrays, found "),
    ],
)
def test_damaged_labels_are_refused(make: Callable[[Path], None], complaint: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.npz"
    make(path)
    with pytest.raises(DatasetError) as caught:
        load_labels(path)
    assert str(caught.value).startswith(f"{path}: {complaint}")


def test_the_labels_are_those_of_the_published_set(labels: Labels, model: HandModel, assets: Path) -> None:
    """Its vertices are rounded to 0.01 mm; everything else to 0.001 mm."""
    root = assets / "realhands" / "data"
    verts_m, joints_m, mano = (
        np.array(json.loads((root / f"evaluation_{kind}.json").read_text()))
        for kind in ("verts", "xyz", "mano")
    )
    for index, photo in enumerate(labels.splits["evaluation"]):
        hand = camera_hand(labels, model, photo)
        assert np.linalg.norm(hand.verts_m - verts_m[index], axis=1).max() < 0.01e-3
        assert np.linalg.norm(hand.joints_m - joints_m[index], axis=1).max() < 0.002e-3
        np.testing.assert_array_equal(hand.mano, mano[index, 0])


def test_pictures_are_those_of_the_published_set(labels: Labels, model: HandModel, assets: Path) -> None:
    """Photographs are the same to the bit with the lock's Pillow; masks and skin but for pixels at edges."""
    originals = read_photographs(assets / "sign_language_digits", labels)
    folder = assets / "realhands" / "data" / "training"
    chosen = [*range(0, labels.num_training, 90), *np.flatnonzero(labels.pad_px[: labels.num_training])[:3]]
    for photo in map(int, chosen):
        rgb = enlarge(originals[photo], pad_px=int(labels.pad_px[photo]), where=str(photo))
        with (
            Image.open(folder / "rgb" / f"{photo:08d}.jpg") as published,
            Image.open(io.BytesIO(photograph_jpeg(rgb))) as ours,
        ):
            assert np.abs(np.asarray(published).astype(int) - np.asarray(ours)).mean() < 0.5
        covered = silhouette(camera_hand(labels, model, photo).points_px(), model.faces)
        with (
            Image.open(folder / "mask" / f"{photo:08d}.jpg") as published,
            Image.open(io.BytesIO(mask_jpeg(covered))) as ours,
        ):
            assert ((np.asarray(published) > 127) != (np.asarray(ours) > 127)).sum() < 10
        with Image.open(folder / "skin" / f"{photo:08d}.png") as picture:
            assert (skin_of(rgb) != np.asarray(picture)).sum() < 120
