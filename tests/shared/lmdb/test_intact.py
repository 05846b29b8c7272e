"""A cut LMDB file is reported before a read past its end kills the process; an intact one never is."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lmdb
import numpy as np
import pytest

from bg_filter.sources import LmdbSource
from shared.backgrounds import BackgroundReader, BackgroundWriter
from shared.backgrounds.verdicts import Verdict
from shared.errors import BackgroundError
from shared.lmdb.intact import require_complete
from tests.support.photo_sources import hex_name, write_lmdb

NUM_PICTURES = 100
PICTURE = bytes(9000)


def write(path: Path, *, deleted: int = 0, transactions: int = 1, **options: Any) -> Path:
    """Write pictures, and after them small entries that the same transaction deletes again."""
    path.mkdir()
    with lmdb.open(str(path), **{"map_size": 1 << 26, "sync": False} | options) as environment:
        for number in range(transactions):
            with environment.begin(write=True) as transaction:
                for picture in range(NUM_PICTURES):
                    transaction.put(f"{number}/{hex_name(picture)}".encode(), PICTURE)
                passing = [f"{number}/z/{place:04d}".encode() for place in range(deleted)]
                for key in passing:
                    transaction.put(key, PICTURE[:300])
                for key in reversed(passing):
                    transaction.delete(key)
    return path / "data.mdb"


def require(path: Path) -> None:
    with lmdb.open(str(path), readonly=True, lock=False) as environment:
        require_complete(environment, path)


def missing_bytes(data: Path) -> int:
    """How many bytes the pages that LMDB counts need behind the end of the file."""
    with lmdb.open(str(data.parent), readonly=True, lock=False) as environment:
        needed = (environment.info()["last_pgno"] + 1) * environment.stat()["psize"]
    return int(needed) - data.stat().st_size


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"transactions": 9, "deleted": 30},
        {"transactions": 3, "deleted": 1000},
        {"map_size": 1 << 34},
        {"writemap": True},
    ],
    ids=str,
)
def test_an_intact_file_is_never_called_cut(tmp_path: Path, options: dict[str, int]) -> None:
    require(write(tmp_path / "a", **options).parent)


@pytest.mark.parametrize("deleted", [100, 1000])
def test_a_file_that_ends_before_pages_that_were_never_used_is_whole(tmp_path: Path, deleted: int) -> None:
    """LMDB counts pages that one transaction takes and frees again, but does not write them."""
    data = write(tmp_path / "a", deleted=deleted, transactions=3)
    assert missing_bytes(data) > 0
    require(data.parent)
    os.truncate(data, data.stat().st_size // 2)
    with pytest.raises(BackgroundError, match="the file was cut"):
        require(data.parent)


@pytest.mark.parametrize("kept", [0.02, 0.3, 0.9])
@pytest.mark.parametrize("open_it", [LmdbSource, BackgroundReader, BackgroundWriter])
def test_whoever_opens_a_cut_file_is_told(
    tmp_path: Path, open_it: Callable[[Path], object], kept: float
) -> None:
    names = [f"made/{number:04d}" for number in range(NUM_PICTURES)]
    if open_it is LmdbSource:
        write_lmdb(tmp_path / "a", dict.fromkeys(names, PICTURE))
    else:
        with BackgroundWriter(tmp_path / "a") as writer:
            writer.add(
                [Verdict(key=name, codec="jpeg", detector="none", width_px=9, height_px=9) for name in names],
                dict.fromkeys(names, PICTURE),
            )
            writer.publish(np.ones(NUM_PICTURES, bool), rules={})
    data = tmp_path / "a" / "data.mdb"
    os.truncate(data, int(data.stat().st_size * kept))
    with pytest.raises(
        BackgroundError, match=r"a/data\.mdb: expected \d+ bytes, found \d+; the file was cut"
    ):
        open_it(tmp_path / "a")


def test_a_cut_by_less_than_a_page_is_found(tmp_path: Path) -> None:
    data = write(tmp_path / "a")
    os.truncate(data, data.stat().st_size - 1)
    with pytest.raises(BackgroundError, match="the file was cut"):
        require(data.parent)
