"""The direct listing agrees with LMDB's own cursor on whatever LMDB can write, or declines."""

import os
from pathlib import Path

import lmdb
import numpy as np
import pytest

from bg_filter.sources import LmdbSource
from shared.lmdb.keys import list_keys


def open_for_writing(path: Path) -> lmdb.Environment:
    path.mkdir()
    return lmdb.open(str(path), map_size=1 << 28, sync=False)


def keys_by_cursor(environment: lmdb.Environment) -> list[bytes]:
    with environment.begin() as transaction:
        return [bytes(key) for key in transaction.cursor().iternext(values=False)]


@pytest.mark.parametrize("num_keys", [1, 50, 3000, 20000])
@pytest.mark.parametrize("value_bytes", [0, 100, 5000])
def test_keys_of_lsuns_kind(tmp_path: Path, num_keys: int, value_bytes: int) -> None:
    """From a single leaf to three levels; values inside the leaf, and on pages of their own."""
    digits = np.random.default_rng(num_keys).integers(0, 256, (num_keys, 20), dtype=np.uint8)
    with open_for_writing(tmp_path / "a") as environment:
        with environment.begin(write=True) as transaction:
            for row in digits:
                transaction.put(row.tobytes().hex().encode(), bytes(value_bytes))
        expected = keys_by_cursor(environment)
    listed = list_keys(tmp_path / "a" / "data.mdb")
    assert listed is not None
    assert listed.tolist() == expected


def test_keys_of_all_lengths_after_many_changes(tmp_path: Path) -> None:
    """Deleted entries, freed pages, and a root that moved."""
    rng = np.random.default_rng(0)
    with open_for_writing(tmp_path / "a") as environment:
        for _ in range(20):
            with environment.begin(write=True) as transaction:
                for _ in range(300):
                    key = rng.integers(97, 123, rng.integers(1, 60), dtype=np.uint8).tobytes()
                    transaction.put(key, bytes(int(rng.integers(0, 3000))))
                for key in keys_by_cursor(environment)[::3]:
                    transaction.delete(key)
            listed = list_keys(tmp_path / "a" / "data.mdb")
            assert listed is not None
            assert listed.tolist() == keys_by_cursor(environment)


def test_named_databases(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with lmdb.open(str(tmp_path / "a"), map_size=1 << 28, max_dbs=3) as environment:
        expected = {}
        for name, count in ((b"photos", 2000), (b"verdicts", 7)):
            database = environment.open_db(name)
            keys = [f"{count}/{number:06d}".encode() for number in range(count)]
            with environment.begin(write=True) as transaction:
                for key in keys:
                    transaction.put(key, bytes(5000), db=database)
            expected[name] = keys
        environment.open_db(b"empty")
    for name, keys in expected.items():
        listed = list_keys(tmp_path / "a" / "data.mdb", database=name)
        assert listed is not None
        assert listed.tolist() == keys
    assert list_keys(tmp_path / "a" / "data.mdb", database=b"empty") is None
    assert list_keys(tmp_path / "a" / "data.mdb", database=b"missing") is None


def test_only_pages_of_the_tree_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_for_writing(tmp_path / "a") as environment, environment.begin(write=True) as transaction:
        for number in range(2000):
            transaction.put(f"{number:040x}".encode(), bytes(9000))
    pages = []
    read = os.pread

    def counted(descriptor: int, size: int, start: int) -> bytes:
        pages.append(start)
        return read(descriptor, size, start)

    monkeypatch.setattr("os.pread", counted)
    listed = list_keys(tmp_path / "a" / "data.mdb")
    assert listed is not None
    assert len(listed) == 2000
    assert len(pages) < 2000 / 20


def test_another_layout_is_left_to_the_cursor(tmp_path: Path) -> None:
    """LMDB 1.0 writes another format than the versions before it."""
    path = tmp_path / "new"
    path.mkdir()
    with (
        lmdb.open(str(path), map_size=1 << 24, lib_version=1) as environment,
        environment.begin(write=True) as transaction,
    ):
        for number in range(300):
            transaction.put(f"{number:040x}".encode(), b"x")
    assert list_keys(path / "data.mdb") is None
    assert len(LmdbSource(path).names()) == 300


@pytest.mark.parametrize("content", [b"", b"x" * 40, b"not a database" * 1000, bytes(20000)])
def test_a_file_that_is_no_database_is_declined(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data.mdb").write_bytes(content)
    assert list_keys(tmp_path / "data.mdb") is None


@pytest.mark.parametrize("seed", range(8))
def test_damage_never_passes_for_a_listing(tmp_path: Path, seed: int) -> None:
    """Pages of the tree are overwritten at random: what comes back is right, or nothing."""
    with open_for_writing(tmp_path / "a") as environment:
        with environment.begin(write=True) as transaction:
            for number in range(3000):
                transaction.put(f"{number:040x}".encode(), b"x")
        expected = keys_by_cursor(environment)
    rng = np.random.default_rng(seed)
    content = bytearray((tmp_path / "a" / "data.mdb").read_bytes())
    for start in rng.integers(2 * 4096, len(content), 3).tolist():
        content[start : start + 64] = rng.bytes(len(content[start : start + 64]))
    (tmp_path / "a" / "data.mdb").write_bytes(content)
    listed = list_keys(tmp_path / "a" / "data.mdb")
    assert listed is None or len(listed) == len(expected)
