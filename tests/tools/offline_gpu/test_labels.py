"""Labels travel as whole steps of a hundredth of a millimetre."""

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from shared.freihand.reader import FreiHandSplit
from tests.support.small_dataset import small_split

pytest.importorskip("tools", reason="the build tools are not part of an installed package")

from tools.offline_gpu.node import labels
from tools.offline_gpu.pack import archives
from tools.offline_gpu.pack.dataset import STEP_M, DatasetChoice, pack_dataset


def test_a_dataset_comes_back_within_half_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Photographs as they were, labels at most 5 µm off, and again in FreiHAND's layout."""
    small_split(tmp_path / "data", "training", num_images=4)
    packing = archives.Packing(cache=tmp_path / "cache", part_bytes=1 << 20, jobs=1, level=0)
    choice = DatasetChoice(
        root=tmp_path / "data",
        images=None,
        evaluation_images=0,
        parts=1,
        backgrounds=None,
        weights=(),
    )
    (size,) = pack_dataset(choice, tmp_path / "parts", packing)
    assert 0 < size <= packing.part_bytes
    node = tmp_path / "node"
    for archive in (tmp_path / "parts/data1").glob("*.tar.xz"):
        with tarfile.open(archive) as tar:
            tar.extractall(node, filter="data")
    monkeypatch.setattr(labels, "DATA", node / "data")
    for name, table in labels.restore(node / "data/labels/training.npz").items():
        (node / f"data/set/training_{name}.json").write_text(json.dumps(table.tolist()))
    before, after = FreiHandSplit(tmp_path / "data", "training"), FreiHandSplit(node / "data/set", "training")
    assert len(after) == len(before)
    for index in range(len(before)):
        assert after.image_path(index).read_bytes() == before.image_path(index).read_bytes()
    np.testing.assert_allclose(after.verts_m, before.verts_m, atol=0.51 * STEP_M)
    np.testing.assert_allclose(after.joints_m, before.joints_m, atol=0.51 * STEP_M)
    np.testing.assert_allclose(after.intrinsics, before.intrinsics)
