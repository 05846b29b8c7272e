"""Photographs that are read ahead."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.errors import DatasetError
from trainer.photographs import reading
from trainer.photographs.reading import MOST_PICTURES, read_in_groups
from trainer.photographs.sources import Source


def pictures(folder: Path, *sizes: tuple[int, int]) -> list[Source]:
    sources = []
    for number, size in enumerate(sizes):
        path = folder / f"{number}.png"
        Image.new("RGB", size, (number, 0, 0)).save(path)
        sources.append(Source(place=path, name=Path(str(number))))
    return sources


def test_pictures_come_in_order_and_in_groups(tmp_path: Path) -> None:
    sources = pictures(tmp_path, *[(4, 4)] * (2 * MOST_PICTURES + 1))
    groups = list(read_in_groups(sources))
    assert [len(group) for group in groups] == [MOST_PICTURES, MOST_PICTURES, 1]
    assert [read.source for group in groups for read in group] == sources
    for number, read in enumerate(read for group in groups for read in group):
        assert not isinstance(read.photograph, Exception)
        np.testing.assert_array_equal(read.photograph.rgb[..., 0], number)


def test_a_group_has_a_bounded_number_of_pixels_and_a_huge_picture_comes_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_PIXELS", 100)
    sources = pictures(tmp_path, (8, 6), (8, 6), (8, 6), (40, 40), (2, 2), (2, 2))
    assert [len(group) for group in read_in_groups(sources)] == [2, 1, 1, 2]


def test_what_cannot_be_read_has_its_error_in_its_place(tmp_path: Path) -> None:
    sources = pictures(tmp_path, (4, 4), (4, 4), (4, 4))
    (tmp_path / "1.png").write_bytes(b"no picture")
    ((first, broken, last),) = read_in_groups(sources)
    assert isinstance(broken.photograph, DatasetError)
    assert not isinstance(first.photograph, Exception)
    assert not isinstance(last.photograph, Exception)


def test_whoever_stops_early_does_not_wait_for_the_rest(tmp_path: Path) -> None:
    sources = pictures(tmp_path, *[(4, 4)] * (3 * MOST_PICTURES))
    groups = read_in_groups(sources)
    next(groups)
    groups.close()
    assert list(groups) == []


def test_nothing_gives_no_group() -> None:
    assert list(read_in_groups([])) == []
