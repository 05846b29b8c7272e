"""The dataset reader and the writer, each against the other and against broken folders."""

import io
import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.errors import DatasetError
from shared.freihand import FreiHandSplit, LabelledHand
from shared.freihand.writer import FreiHandWriter
from shared.types import Intrinsics

NUM_VERTS = 11
SIZE_PX = 16


def jpeg(grey: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (SIZE_PX, SIZE_PX), (grey, grey, grey)).save(file, "JPEG")
    return file.getvalue()


def hand(index: int, *, pose: int | None = None) -> LabelledHand:
    rng = np.random.default_rng(index if pose is None else pose)
    return LabelledHand(
        index=index,
        verts_m=rng.normal(size=(NUM_VERTS, 3)).astype(np.float32),
        joints_m=rng.normal(size=(21, 3)).astype(np.float32),
        camera=Intrinsics(fx_px=20.0, fy_px=21.0, cx_px=7.5, cy_px=7.25, width_px=SIZE_PX, height_px=SIZE_PX),
        mano=rng.normal(size=61).astype(np.float32),
    )


def fill(writer: FreiHandWriter, indices: list[int]) -> None:
    for index in indices:
        writer.add(hand(index, pose=index % writer.num_poses), jpeg(10 * index), mask_jpeg=jpeg(255))


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Six images of three poses."""
    writer = FreiHandWriter(tmp_path / "data", "training", num_images=6, num_versions=2)
    fill(writer, writer.missing())
    writer.finish()
    return tmp_path / "data"


def test_what_was_written_is_read_back(dataset: Path) -> None:
    split = FreiHandSplit(dataset, "training")
    assert (len(split), split.num_poses, split.num_versions, split.image_px) == (6, 3, 2, SIZE_PX)
    for index in range(6):
        pose = split.pose_of(index)
        np.testing.assert_allclose(split.verts_m[pose], hand(index, pose=index % 3).verts_m, atol=1e-9)
        np.testing.assert_allclose(split.joints_m[pose], hand(index, pose=index % 3).joints_m, atol=1e-9)
        assert split.camera(pose) == hand(index).camera
        np.testing.assert_allclose(split.image(index), 10 * index, atol=1)


def test_the_files_nest_as_freihand_nests_them(dataset: Path) -> None:
    """Shapes of FreiHAND version 2; masks exist for the first version of a pose only."""
    shapes = {
        kind: np.shape(json.loads((dataset / f"training_{kind}.json").read_text()))
        for kind in ("K", "xyz", "verts", "mano", "scale")
    }
    assert shapes == {
        "K": (3, 3, 3),
        "xyz": (3, 21, 3),
        "verts": (3, NUM_VERTS, 3),
        "mano": (3, 1, 61),
        "scale": (3,),
    }
    scale = json.loads((dataset / "training_scale.json").read_text())[1]
    joints_m = hand(1).joints_m.astype(float)
    assert scale == pytest.approx(np.linalg.norm(joints_m[9] - joints_m[10]))
    assert [path.name for path in sorted((dataset / "training" / "mask").iterdir())] == [
        "00000000.jpg",
        "00000001.jpg",
        "00000002.jpg",
    ]
    assert [path.name for path in dataset.rglob(".*")] == [".training.identity"]


def test_a_split_pickles_as_its_arguments(dataset: Path) -> None:
    split = FreiHandSplit(dataset, "training")
    text = pickle.dumps(split)
    assert len(text) < 1000
    np.testing.assert_array_equal(pickle.loads(text).verts_m, split.verts_m)


class TestBrokenDataset:
    def refused(self, root: Path, complaint: str, *, num_versions: int | None = None) -> None:
        with pytest.raises(DatasetError, match=complaint):
            FreiHandSplit(root, "training", num_versions=num_versions)

    def test_missing_folder(self, tmp_path: Path) -> None:
        self.refused(tmp_path / "nowhere", "training/rgb and training_K.json, found no such folder. Give")

    def test_another_folder(self, tmp_path: Path) -> None:
        (tmp_path / "holiday.png").touch()
        self.refused(tmp_path, "expected a FreiHAND dataset.*found only holiday.png. Give the folder")

    def test_empty_folder(self, tmp_path: Path) -> None:
        self.refused(tmp_path, "found an empty folder")

    def test_no_intrinsics(self, dataset: Path) -> None:
        (dataset / "training_K.json").unlink()
        self.refused(dataset, r"training_K\.json: expected an annotation file, No such file")

    def test_labels_of_another_number_of_poses(self, dataset: Path) -> None:
        verts = json.loads((dataset / "training_verts.json").read_text())
        (dataset / "training_verts.json").write_text(json.dumps(verts[:2]))
        self.refused(dataset, r"training_verts\.json: annotation counts disagree: expected 3 poses.*found 2")

    def test_images_that_poses_do_not_divide(self, dataset: Path) -> None:
        (dataset / "training" / "rgb" / "00000005.jpg").unlink()
        self.refused(dataset, "counts disagree with the training images: expected a multiple of 3.*found 5")

    def test_another_number_of_versions(self, dataset: Path) -> None:
        self.refused(dataset, "expected 4 times as many of 3 poses, found 6 images", num_versions=4)

    def test_gap_between_images(self, dataset: Path) -> None:
        (dataset / "training" / "rgb" / "00000002.jpg").unlink()
        self.refused(dataset, "without gaps, found 5, the last 00000005.jpg")

    @pytest.mark.parametrize("content", [b"", b"<html>not found</html>", jpeg(9)[:-200]])
    def test_undecodable_image(self, dataset: Path, content: bytes) -> None:
        (dataset / "training" / "rgb" / "00000002.jpg").write_bytes(content)
        with pytest.raises(DatasetError, match=r"00000002\.jpg: expected a decodable image"):
            FreiHandSplit(dataset, "training").image(2)

    def test_image_that_is_not_square(self, dataset: Path) -> None:
        Image.new("RGB", (20, 16)).save(dataset / "training" / "rgb" / "00000000.jpg")
        with pytest.raises(DatasetError, match="expected a square image, found 20 x 16"):
            _ = FreiHandSplit(dataset, "training").image_px

    def test_image_of_another_size_than_the_first(self, dataset: Path) -> None:
        Image.new("RGB", (16, 8)).save(dataset / "training/rgb/00000001.jpg")
        split = FreiHandSplit(dataset, "training")
        with pytest.raises(DatasetError, match=r"00000001\.jpg: expected the size of .*found 16 x 8"):
            split.image(1)

    def test_missing_labels_do_not_prevent_prediction(self, dataset: Path) -> None:
        (dataset / "training_verts.json").unlink()
        split = FreiHandSplit(dataset, "training")
        assert not split.has_labels
        with pytest.raises(DatasetError, match=r"expected training_verts\.json.*Predicting works without"):
            _ = split.verts_m

    def test_index_beyond_the_end(self, dataset: Path) -> None:
        with pytest.raises(IndexError, match="image 6"):
            FreiHandSplit(dataset, "training").image(6)


class TestWriter:
    def test_images_in_any_order_with_interruptions_give_the_same_files(
        self, dataset: Path, tmp_path: Path
    ) -> None:
        other = tmp_path / "other"
        for indices in ([4, 1], [5, 0], [3, 2]):
            fill(FreiHandWriter(other, "training", num_images=6, num_versions=2), indices)
        FreiHandWriter(other, "training", num_images=6, num_versions=2).finish()
        names = sorted(path.relative_to(dataset) for path in dataset.rglob("*.j*"))
        assert names == sorted(path.relative_to(other) for path in other.rglob("*.j*"))
        assert all((dataset / name).read_bytes() == (other / name).read_bytes() for name in names)

    @pytest.mark.parametrize("cut_bytes", [1, 100])
    def test_a_record_cut_short_by_a_kill_is_written_again(self, tmp_path: Path, cut_bytes: int) -> None:
        fill(FreiHandWriter(tmp_path, "training", num_images=3), [2, 0])
        journal = tmp_path / ".training.journal"
        journal.write_bytes(journal.read_bytes()[:-cut_bytes])
        writer = FreiHandWriter(tmp_path, "training", num_images=3)
        assert writer.missing() == [0, 1]
        fill(writer, writer.missing())
        writer.finish()
        split = FreiHandSplit(tmp_path, "training")
        np.testing.assert_allclose(split.verts_m, [hand(i).verts_m for i in range(3)], atol=1e-9)

    def test_finishing_early_says_what_is_missing(self, tmp_path: Path) -> None:
        writer = FreiHandWriter(tmp_path, "training", num_images=3)
        fill(writer, [0])
        with pytest.raises(DatasetError, match=r"expected 3 images.*found 1; the first one missing is 1"):
            writer.finish()

    def test_a_kill_while_finishing_leaves_it_resumable(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        writer = FreiHandWriter(tmp_path, "training", num_images=2)
        fill(writer, [0, 1])
        monkeypatch.setattr("shared.freihand.writer.LABEL_KINDS", ("xyz", "no such kind"))
        with pytest.raises(ValueError, match="no such kind"):
            writer.finish()
        monkeypatch.undo()
        again = FreiHandWriter(tmp_path, "training", num_images=2)
        assert again.missing() == []
        again.finish()
        assert FreiHandSplit(tmp_path, "training").has_labels

    def test_a_finished_dataset_is_left_alone(self, dataset: Path) -> None:
        before = {path: path.stat().st_mtime_ns for path in dataset.rglob("*")}
        writer = FreiHandWriter(dataset, "training", num_images=6, num_versions=2)
        assert writer.is_finished
        assert writer.missing() == []
        writer.finish()
        assert before == {path: path.stat().st_mtime_ns for path in dataset.rglob("*")}

    def test_a_finished_dataset_of_another_size_is_refused(self, dataset: Path) -> None:
        with pytest.raises(
            DatasetError, match=r"12 images in 4 versions, found one of 6 in 2\. Give another folder"
        ):
            FreiHandWriter(dataset, "training", num_images=12, num_versions=4)

    def test_unfinished_work_of_another_identity_is_refused(self, tmp_path: Path) -> None:
        fill(FreiHandWriter(tmp_path, "training", num_images=3, identity="seed 1"), [0])
        with pytest.raises(DatasetError, match=r"seed 2.*found those of.*seed 1"):
            FreiHandWriter(tmp_path, "training", num_images=3, identity="seed 2")

    def test_a_finished_dataset_of_another_identity_is_refused(self, tmp_path: Path) -> None:
        writer = FreiHandWriter(tmp_path, "training", num_images=3, identity="seed 1")
        fill(writer, writer.missing())
        writer.finish()
        assert FreiHandWriter(tmp_path, "training", num_images=3, identity="seed 1").is_finished
        with pytest.raises(DatasetError, match=r"seed 2.*found one made from.*seed 1.*another folder"):
            FreiHandWriter(tmp_path, "training", num_images=3, identity="seed 2")

    def test_a_finished_dataset_that_does_not_say_what_it_was_made_from_is_accepted(
        self, dataset: Path
    ) -> None:
        """FreiHAND itself, and what was made before the identity was kept."""
        (dataset / ".training.identity").unlink()
        assert FreiHandWriter(dataset, "training", num_images=6, num_versions=2, identity="any").is_finished

    def test_a_damaged_identity_is_named(self, dataset: Path) -> None:
        (dataset / ".training.identity").write_bytes(b"\x00\x01")
        with pytest.raises(DatasetError, match=r"\.training\.identity: expected what .* Delete this file"):
            FreiHandWriter(dataset, "training", num_images=6, num_versions=2)

    def test_a_damaged_journal_is_named(self, tmp_path: Path) -> None:
        (tmp_path / ".training.journal").write_bytes(b"\x00\x01")
        with pytest.raises(DatasetError, match=r"\.training\.journal: expected the journal"):
            FreiHandWriter(tmp_path, "training", num_images=3)

    def test_versions_of_a_pose_must_agree(self, tmp_path: Path) -> None:
        writer = FreiHandWriter(tmp_path, "training", num_images=2, num_versions=2)
        writer.add(hand(0), jpeg(0), mask_jpeg=jpeg(0))
        writer.add(hand(1), jpeg(0), mask_jpeg=jpeg(0))
        with pytest.raises(DatasetError, match="images 0 and 1 to show one pose"):
            writer.finish()

    def test_splits_live_side_by_side(self, dataset: Path) -> None:
        writer = FreiHandWriter(dataset, "evaluation", num_images=1)
        fill(writer, [0])
        writer.finish()
        shutil.rmtree(dataset / "training")
        assert len(FreiHandSplit(dataset, "evaluation")) == 1

    def test_a_split_can_grow_without_its_size_being_known(self, tmp_path: Path) -> None:
        """An import learns from the photographs, one by one, how many hands there are."""
        writer = FreiHandWriter(tmp_path, "training", num_images=None)
        for index in range(2):
            writer.add(hand(index), jpeg(index), mask_jpeg=None)
        writer = FreiHandWriter(tmp_path, "training", num_images=None)
        assert (writer.num_images, writer.missing()) == (2, [])
        with pytest.raises(IndexError, match="image 3"):
            writer.add(hand(3), jpeg(3), mask_jpeg=None)
        writer.add(hand(2), jpeg(2), mask_jpeg=None)
        writer.finish()
        assert len(FreiHandSplit(tmp_path, "training")) == 3
        assert not (tmp_path / "training" / "mask").exists()
        assert FreiHandWriter(tmp_path, "training", num_images=None).num_images == 3

    def test_a_split_without_images_cannot_be_finished(self, tmp_path: Path) -> None:
        with pytest.raises(DatasetError, match="expected images of the training split, found none"):
            FreiHandWriter(tmp_path, "training", num_images=None).finish()


def test_the_real_photographs_can_be_read(
    assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1,947 photographs; the joints project into the images, as the folder's README says."""
    monkeypatch.setenv("MESHCYCLE_CACHE", str(tmp_path))
    split = FreiHandSplit(assets / "realhands" / "data", "evaluation")
    assert (len(split), split.num_versions, split.verts_m.shape) == (292, 1, (292, 778, 3))
    projected = np.einsum("nij,npj->npi", split.intrinsics, split.joints_m)
    px = projected[..., :2] / projected[..., 2:]
    assert np.mean((px > 0) & (px < split.image_px)) > 0.99
