"""Labels travel as parameters of the embedded hand, or as whole steps of a hundredth of a millimetre."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.camera import project_px
from shared.freihand.reader import FreiHandSplit
from shared.freihand.writer import FreiHandWriter
from shared.hand_model import load_hand_model
from tests.support.small_dataset import small_split
from trainer.hands.sampled import IMAGE_PX, labelled_hand

pytest.importorskip("tools", reason="the build tools are not part of an installed package")

from tools.offline_gpu.node import labels
from tools.offline_gpu.pack import archives
from tools.offline_gpu.pack.dataset import DatasetChoice, pack_dataset
from tools.offline_gpu.pack.labels import STEP_M


def travel(root: Path, node: Path, *, side_px: int | None = None, others: tuple[Path, ...] = ()) -> set[str]:
    """Pack datasets, unpack them in a folder, and return the names in the first one's label file."""
    packing = archives.Packing(cache=node / "cache", part_bytes=1 << 20, jobs=1, level=0)
    choice = DatasetChoice(
        roots=(root, *others),
        images=None,
        evaluation_images=0,
        side_px=side_px,
        parts=1,
        backgrounds=None,
        weights=(),
    )
    (size,) = pack_dataset(choice, node / "parts", packing)
    assert 0 < size <= packing.part_bytes
    for archive in (node / "parts/data1").glob("*.tar.xz"):
        with tarfile.open(archive) as tar:
            tar.extractall(node, filter="data")
    for name, table in labels.restore(node / f"data/{root.name}/training.npz").items():
        (node / f"data/{root.name}/training_{name}.json").write_text(json.dumps(table.tolist()))
    with np.load(node / f"data/{root.name}/training.npz") as packed:
        return set(packed)


def grey_jpeg() -> bytes:
    """A photograph of the size that sampled hands are placed in."""
    file = io.BytesIO()
    Image.new("RGB", (IMAGE_PX, IMAGE_PX), (90, 120, 90)).save(file, "JPEG")
    return file.getvalue()


def test_a_dataset_comes_back_within_half_a_step(tmp_path: Path) -> None:
    """Photographs as they were, labels at most 5 µm off, and again in FreiHAND's layout."""
    before = small_split(tmp_path / "hands", "training", num_images=4)
    packed = travel(tmp_path / "hands", tmp_path / "node")
    assert "verts" in packed
    after = FreiHandSplit(tmp_path / "node/data/hands", "training")
    assert len(after) == len(before)
    for index in range(len(before)):
        assert after.image_path(index).read_bytes() == before.image_path(index).read_bytes()
    np.testing.assert_allclose(after.verts_m, before.verts_m, atol=0.51 * STEP_M)
    np.testing.assert_allclose(after.joints_m, before.joints_m, atol=0.51 * STEP_M)
    np.testing.assert_allclose(after.intrinsics, before.intrinsics)


def test_made_hands_travel_as_parameters_and_in_smaller_photographs(tmp_path: Path) -> None:
    """Hands come back to 10 µm, and joints lie at the same shares of the photographs."""
    model = load_hand_model()
    writer = FreiHandWriter(tmp_path / "made", "training", num_images=3)
    for index in writer.missing():
        writer.add(labelled_hand(model, index, seed=1), grey_jpeg(), mask_jpeg=None)
    writer.finish()
    packed = travel(tmp_path / "made", tmp_path / "node", side_px=112)
    assert "verts" not in packed
    before = FreiHandSplit(tmp_path / "made", "training")
    after = FreiHandSplit(tmp_path / "node/data/made", "training")
    np.testing.assert_allclose(after.verts_m, before.verts_m, atol=1.1 * STEP_M)
    np.testing.assert_allclose(after.joints_m, before.joints_m, atol=1.1 * STEP_M)
    assert after.image(0).shape == (112, 112, 3)
    for pose in range(3):
        px = project_px(before.joints_m[pose], before.camera(pose))
        smaller_px = project_px(before.joints_m[pose], after.camera(pose))
        np.testing.assert_allclose((smaller_px + 0.5) / 112, (px + 0.5) / 224, atol=1e-5)


def test_two_folders_of_one_name_are_refused(tmp_path: Path) -> None:
    roots = [tmp_path / parent / "hands" for parent in ("one", "two")]
    for root in roots:
        small_split(root, "training", num_images=1)
    with pytest.raises(SystemExit, match="expected folders of different names, found hands twice"):
        travel(roots[0], tmp_path / "node", others=(roots[1],))
