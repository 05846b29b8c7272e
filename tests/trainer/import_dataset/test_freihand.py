"""FreiHAND's archives are unpacked into the layout that they have."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from shared.errors import DatasetError
from shared.freihand import FreiHandSplit
from tests.support.published.freihand import EVALUATED, POSES, VERSIONS, write_archives
from trainer.import_dataset.freihand import copy_freihand


def test_both_archives_become_one_dataset(tmp_path: Path) -> None:
    write_archives(tmp_path / "downloads")
    report = copy_freihand(tmp_path / "downloads", tmp_path / "out")
    assert report.images == {"training": POSES * VERSIONS, "evaluation": EVALUATED}
    training, evaluation = (
        FreiHandSplit(tmp_path / "out", "training", num_versions=VERSIONS),
        FreiHandSplit(tmp_path / "out", "evaluation"),
    )
    assert (training.has_labels, evaluation.has_labels) == (True, True)
    assert np.any(training.mano != 0)
    assert (tmp_path / "out" / "training" / "mask" / "00000001.jpg").exists()
    assert not (tmp_path / "out" / "readme.txt").exists()


def test_nothing_is_changed(tmp_path: Path) -> None:
    first, _ = write_archives(tmp_path / "downloads")
    copy_freihand(first, tmp_path / "out")
    with zipfile.ZipFile(first) as archive:
        for name in ("training/rgb/00000007.jpg", "training_verts.json", "evaluation_K.json"):
            assert (tmp_path / "out" / name).read_bytes() == archive.read(name)


def test_an_unpacked_copy_will_do(tmp_path: Path) -> None:
    for path in write_archives(tmp_path):
        with zipfile.ZipFile(path) as archive:
            archive.extractall(tmp_path / "unpacked")
    report = copy_freihand(tmp_path / "unpacked", tmp_path / "out")
    assert report.images == {"training": 8, "evaluation": 3}


def test_an_interrupted_copy_continues(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there in full is kept; what a power cut has shortened is written again."""
    first, _ = write_archives(tmp_path / "downloads")
    copy_freihand(first, tmp_path / "out")
    image = tmp_path / "out" / "training" / "rgb" / "00000003.jpg"
    whole = image.read_bytes()
    image.write_bytes(whole[:10])
    (tmp_path / "out" / "training_K.json").unlink()
    report = copy_freihand(first, tmp_path / "out")
    assert (report.kept, image.read_bytes()) == (8 + 3 - 1, whole)
    assert (tmp_path / "out" / "training_K.json").exists()


def test_a_damaged_archive_is_one_clear_error(tmp_path: Path) -> None:
    first, _ = write_archives(tmp_path)
    data = bytearray(first.read_bytes())
    with zipfile.ZipFile(first) as archive:
        start = archive.getinfo("training/rgb/00000000.jpg").header_offset
    data[start + 80 : start + 90] = bytes(10)
    first.write_bytes(data)
    with pytest.raises(DatasetError, match=r"expected a whole training/rgb/00000000\.jpg, found Bad CRC-32"):
        copy_freihand(first, tmp_path / "out")
    assert not list((tmp_path / "out").glob("**/*.tmp"))
    first.write_bytes(bytes(data[:1000]))
    with pytest.raises(DatasetError, match=r"FreiHAND_pub_v2\.zip: expected an archive of FreiHAND, found"):
        copy_freihand(first, tmp_path / "other")


def test_another_folder_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "downloads").mkdir()
    with pytest.raises(DatasetError, match=r"expected FreiHAND_pub_v2\.zip or FreiHAND_pub_v2_eval\.zip"):
        copy_freihand(tmp_path / "downloads", tmp_path / "out")
