"""Local copies of what is at a URL, one for each machine."""

import multiprocessing
import os
from pathlib import Path

import fsspec
import pytest

from shared.errors import StorageError
from shared.storage.local_copy import fetch, working_copy
from shared.storage.location import is_url
from shared.storage.object_store import ObjectStore
from tests.support.counted_fetch import fetch_and_count


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    assert fetch(tmp_path / "nowhere") == tmp_path / "nowhere"
    with working_copy(tmp_path / "out") as folder:
        assert folder == tmp_path / "out"


@pytest.mark.parametrize(
    ("place", "expected"),
    [("s3://bucket/x", True), ("file:///tmp", True), ("runs/x", False), (Path("s3://bucket"), False)],
)
def test_urls_are_told_from_paths(place: Path | str, expected: bool) -> None:
    assert is_url(place) == expected


def test_processes_that_start_together_fetch_once(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixty-four workers of a machine need one copy of the backgrounds, not sixty-four."""
    content = os.urandom(3_000_000)
    fsspec.filesystem("s3", use_listings_cache=False).pipe_file(f"{bucket}/backgrounds/data.mdb", content)
    count = tmp_path / "count"
    count.mkdir()
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        sizes = pool.starmap(fetch_and_count, [(f"{bucket}/backgrounds", count)] * 2, chunksize=1)
    assert sizes == [len(content)] * 2
    assert len(list(count.iterdir())) == 1


def test_work_is_published_when_it_is_done_and_kept_when_it_is_interrupted(bucket: str) -> None:
    url = f"{bucket}/work"
    with working_copy(url, only=["*.txt"]) as folder:
        (folder / "a.txt").write_text("one")
        (folder / "lock.mdb").write_text("not wanted")
    interrupted = working_copy(url, only=["*.txt"])
    (interrupted.__enter__() / "a.txt").write_text("one and two")
    interrupted.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    store = ObjectStore(url)
    assert store.read("a.txt") == b"one"
    with working_copy(url, only=["*.txt"]) as folder:
        assert (folder / "a.txt").read_text() == "one and two"
    assert [name for name in store.find() if name.startswith("lock")] == []
    assert (fetch(url) / "a.txt").read_text() == "one and two"


def test_a_url_with_nothing_is_an_error_to_read(bucket: str) -> None:
    with pytest.raises(
        StorageError, match=r"/nothing: expected files there, found nothing. Correct the URL."
    ):
        fetch(f"{bucket}/nothing")
