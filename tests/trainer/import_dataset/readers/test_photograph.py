"""A photograph that cannot be decoded is a reason, not an end."""

from pathlib import Path

import pytest
from PIL import Image

from trainer.import_dataset.reader import LeftOut
from trainer.import_dataset.readers.photograph import read_photograph


def test_pixels_are_rgb_whatever_the_file_is(tmp_path: Path) -> None:
    Image.new("L", (5, 4), 7).save(tmp_path / "grey.png")
    assert read_photograph(tmp_path / "grey.png").shape == (4, 5, 3)


def test_missing_and_damaged_files_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(LeftOut, match="is missing"):
        read_photograph(tmp_path / "a.jpg")
    Image.new("RGB", (64, 64), (1, 2, 3)).save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:400])
    with pytest.raises(LeftOut, match="cannot be decoded"):
        read_photograph(tmp_path / "a.jpg")
