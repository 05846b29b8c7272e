"""Annotation files: any legal spacing, any piece size, cached by state, wrong ones refused by name."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from shared.errors import DatasetError
from shared.freihand import annotations
from shared.freihand.annotations import read_annotation


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("MESHCYCLE_CACHE", str(folder))
    return folder


def table(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def write(path: Path, numbers: object, *, indent: int | None = None) -> Path:
    path.write_text(json.dumps(numbers, indent=indent))
    return path


@pytest.mark.parametrize("chunk_bytes", [1, 7, 1000, 1 << 20])
@pytest.mark.parametrize("indent", [None, 2])
def test_pieces_of_any_size_give_the_same_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk_bytes: int, indent: int | None
) -> None:
    monkeypatch.setattr(annotations, "CHUNK_BYTES", chunk_bytes)
    numbers = table(4, 21, 3)
    path = write(tmp_path / "training_xyz.json", numbers.tolist(), indent=indent)
    np.testing.assert_array_equal(read_annotation(path, rows=21), numbers)


def test_the_number_of_vertices_comes_from_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "training_verts.json", table(3, 778, 3).tolist())
    assert read_annotation(path, rows=None).shape == (3, 778, 3)


def test_one_pose_is_a_table_too(tmp_path: Path) -> None:
    path = write(tmp_path / "training_K.json", [np.eye(3).tolist()])
    np.testing.assert_array_equal(read_annotation(path, rows=3), np.eye(3)[None])


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("[]", "poses x 2 x 3"),
        ("[[1, 2, 3], [4, 5, 6]]", "poses x 2 x 3"),
        ("[[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]", "poses x 2 x 3"),
        ("[[[1, 2, 3], [4, 5, 6]], [[1, 2, 3]]]", "poses x 2 x 3"),
        ("[[[1, 2], [4, 5]]]", "poses x 2 x 3"),
        ("[[[1, 2, 3], [4, null, 6]]]", "nested JSON lists of numbers"),
        ("[[[1, 2, 3], [4, 5,", "poses x 2 x 3"),
        ("[[[1, 2, 3], [4, 5, 6]]", "a part cut off"),
        ("[[[1, 2, 3], [4, 5, 6]", "a part cut off"),
        ("[[[1, 2, 3, 4], [5, 6]]]", "rows of unequal length"),
        ("[[[1, 2, 3]], [4, [5, 6]]]", "numbers"),
        ('[[[1, 2, 3], [4, 5, "6"]]]', "numbers"),
        ("[[[1, 2, 3], [4, 5, true]]]", "numbers"),
        ("[[[1, 2, 3], [4, 5, 6]]]]", "numbers"),
        ("version https://git-lfs.github.com/spec/v1", "nested JSON lists of numbers"),
        ("[[[1, 2, 3], [4, NaN, 6]]]", "finite"),
        ("[[[1, 2, 3], [4, 1e30, 6]]]", "numbers of at most 1e.09, found 1e.30"),
        ("[[[1, 2, 3], [4, 1e99, 6]]]", "finite"),
        ("", "poses x 2 x 3"),
    ],
)
def test_what_is_no_table_is_refused_by_name(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "training_xyz.json"
    path.write_text(content)
    with pytest.raises(DatasetError, match=rf"training_xyz\.json: expected.*{complaint}"):
        read_annotation(path, rows=2)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"training_K\.json: expected an annotation file, No such file"):
        read_annotation(tmp_path / "training_K.json", rows=3)


class TestCache:
    @pytest.fixture(autouse=True)
    def everything_is_large(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(annotations, "CACHED_FROM_BYTES", 0)

    def test_the_second_reading_does_not_parse(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = write(tmp_path / "training_xyz.json", table(2, 21, 3).tolist())
        first = read_annotation(path, rows=21)
        monkeypatch.setattr(annotations, "_parse", lambda *_, **__: pytest.fail("parsed again"))
        np.testing.assert_array_equal(read_annotation(path, rows=21), first)

    def test_a_changed_file_is_read_anew_and_the_old_entry_goes(self, tmp_path: Path, cache: Path) -> None:
        path = write(tmp_path / "training_xyz.json", table(2, 21, 3).tolist())
        read_annotation(path, rows=21)
        write(path, (table(2, 21, 3) + 1).tolist())
        os.utime(path, ns=(1, 1))
        np.testing.assert_array_equal(read_annotation(path, rows=21), table(2, 21, 3) + 1)
        assert len(list(cache.rglob("*.npy"))) == 1

    def test_a_damaged_entry_is_ignored(self, tmp_path: Path, cache: Path) -> None:
        path = write(tmp_path / "training_xyz.json", table(2, 21, 3).tolist())
        read_annotation(path, rows=21)
        (entry,) = cache.rglob("*.npy")
        entry.write_bytes(entry.read_bytes()[:200])
        np.testing.assert_array_equal(read_annotation(path, rows=21), table(2, 21, 3))

    def test_changing_what_was_read_does_not_change_the_cache(self, tmp_path: Path) -> None:
        path = write(tmp_path / "training_xyz.json", table(2, 21, 3).tolist())
        read_annotation(path, rows=21)[:] = 0
        np.testing.assert_array_equal(read_annotation(path, rows=21), table(2, 21, 3))

    def test_a_cached_table_is_checked_against_what_is_asked(self, tmp_path: Path) -> None:
        path = write(tmp_path / "training_xyz.json", table(2, 20, 3).tolist())
        read_annotation(path, rows=None)
        with pytest.raises(DatasetError, match="poses x 21 x 3 numbers, found 2 x 20 x 3"):
            read_annotation(path, rows=21)

    def test_without_a_place_for_the_cache_reading_still_works(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "a_file").touch()
        monkeypatch.setenv("MESHCYCLE_CACHE", str(tmp_path / "a_file" / "cache"))
        path = write(tmp_path / "training_xyz.json", table(2, 21, 3).tolist())
        np.testing.assert_array_equal(read_annotation(path, rows=21), table(2, 21, 3))
