"""What is kept of objects at URLs: never more than the bound, never what is damaged, by many processes."""

import hashlib
import multiprocessing
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from shared.storage.byte_cache import ByteCache

BOUND = 300_000
PIECES = [random.Random(number).randbytes(500 + 997 * number % 30_000) for number in range(60)]


def name_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def never() -> bytes:
    raise AssertionError("it is on the disk")


def on_the_disk(folder: Path) -> int:
    """Return the bytes that the disk gives to the pieces; a file that has just gone takes none."""
    num_bytes = 0
    for path in folder.iterdir():
        try:
            num_bytes += path.stat().st_blocks * 512 if path.name not in (".used", ".lock") else 0
        except FileNotFoundError:
            continue
    return num_bytes


@pytest.fixture
def cache(tmp_path: Path) -> ByteCache:
    return ByteCache(tmp_path / "cache", most_bytes=BOUND)


def kept(cache: ByteCache) -> set[str]:
    return {path.name for path in cache._folder.iterdir() if not path.name.startswith(".")}


def read_all(cache: ByteCache, order: list[int], after_each: Callable[[], None] = lambda: None) -> None:
    for number in order:
        content = PIECES[number]
        assert cache.get(name_of(content), partial(bytes, content)) == content
        after_each()


def test_it_never_takes_up_more_than_its_bound(cache: ByteCache, tmp_path: Path) -> None:
    sizes = []
    order = random.Random(0).choices(range(60), k=300)
    read_all(cache, order, after_each=lambda: sizes.append(on_the_disk(tmp_path / "cache")))
    assert sum(map(len, PIECES)) > 2 * BOUND
    assert BOUND / 2 < max(sizes) <= BOUND


def test_what_is_there_is_not_fetched_again(cache: ByteCache, tmp_path: Path) -> None:
    read_all(cache, [1, 2])
    another = ByteCache(tmp_path / "cache", most_bytes=BOUND)
    assert another.get(name_of(PIECES[1]), never) == PIECES[1]


def test_what_was_used_longest_ago_goes_first(cache: ByteCache) -> None:
    read_all(cache, [20, *range(1, 12)])
    before = kept(cache)
    read_all(cache, [20, *range(21, 30)])
    gone = before - kept(cache)
    assert name_of(PIECES[1]) in gone
    assert name_of(PIECES[20]) not in gone


@pytest.mark.parametrize("damage", [lambda content: content[:-1], lambda content: b"x" + content[1:]])
def test_what_is_damaged_is_noticed_and_fetched_again(
    cache: ByteCache, damage: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    read_all(cache, [5])
    path = cache._folder / name_of(PIECES[5])
    path.write_bytes(damage(PIECES[5]))
    read_all(cache, [5])
    assert "was damaged on the disk; fetching it again" in caplog.text
    assert path.read_bytes() == PIECES[5]


def test_what_is_damaged_where_it_comes_from_is_not_kept(cache: ByteCache) -> None:
    assert cache.get(name_of(PIECES[5]), lambda: b"other") == b"other"
    assert kept(cache) == set()


def test_a_piece_beyond_the_bound_is_passed_on(tmp_path: Path) -> None:
    cache = ByteCache(tmp_path / "cache", most_bytes=4096)
    read_all(cache, [9])
    assert kept(cache) == set()


def test_a_lower_bound_holds_from_the_next_use_on(cache: ByteCache, tmp_path: Path) -> None:
    read_all(cache, list(range(10)))
    assert on_the_disk(tmp_path / "cache") > 50_000
    smaller = ByteCache(tmp_path / "cache", most_bytes=50_000)
    smaller.get(name_of(PIECES[9]), lambda: PIECES[9])
    assert on_the_disk(tmp_path / "cache") <= 50_000


def test_a_kill_while_a_piece_is_written_costs_room_only_until_there_is_none(cache: ByteCache) -> None:
    read_all(cache, [1])
    cache._note(BOUND - 100)  # as if this was noted for pieces that never came
    (cache._folder / ".piece.tmp").write_bytes(bytes(100_000))
    read_all(cache, [2])
    assert kept(cache) == {name_of(PIECES[1]), name_of(PIECES[2])}
    assert not (cache._folder / ".piece.tmp").exists()
    assert cache._used() < 50_000


def test_a_note_that_is_lost_is_made_again(cache: ByteCache) -> None:
    read_all(cache, [1, 2, 3])
    used = cache._used()
    (cache._folder / ".used").write_text("")
    assert cache._used() == used


def test_without_a_disk_everything_is_fetched(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    read_all(ByteCache(tmp_path / "file/cache", most_bytes=BOUND), [1, 2, 1])
    assert caplog.text.count("cannot be written") == 1


def test_several_processes_keep_to_one_bound(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    orders = [random.Random(seed).choices(range(60), k=150) for seed in range(3)]
    workers = [
        context.Process(target=read_all, args=(ByteCache(tmp_path / "cache", most_bytes=BOUND), order))
        for order in orders
    ]
    (tmp_path / "cache").mkdir()
    for worker in workers:
        worker.start()
    largest = 0
    while any(worker.is_alive() for worker in workers):
        largest = max(largest, on_the_disk(tmp_path / "cache"))
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert 0 < largest <= BOUND
    assert on_the_disk(tmp_path / "cache") <= BOUND
