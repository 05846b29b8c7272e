"""Twins at a URL, on a real S3 server: read by ranges, kept on this machine's disk, and checked."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from shared.errors import ShardError, StorageError
from shared.seams.renderer import RenderJob
from shared.storage.object_store import ObjectStore
from shared.twins.names import round_name
from shared.twins.predictions import write_predictions
from shared.twins.round_folders import forget_rounds
from shared.twins.rounds import SyntheticRound
from shared.twins.sample import SyntheticSample
from shared.twins.stored_shards import RoundStore
from tests.support.fakes import PointRenderer
from tests.support.still_predictions import still_predictions

NAMES = ("00000000", "00000001", "00000002", "00000003", "00000004")


def render(folder: Path, round_index: int, *, store: str | None, redrawn: tuple[str, ...] = NAMES) -> Path:
    """Draw a round of two shards, which keeps the other twins of the round before."""
    predictions = folder / "predictions" / round_name(round_index)
    for number, names in enumerate((NAMES[:3], NAMES[3:])):
        shard = still_predictions(names, round_index)
        write_predictions(predictions / f"shard-{number:05d}.safetensors", shard)
    out = folder / "synthetic" / round_name(round_index)
    kept = set(NAMES) - set(redrawn)
    before = SyntheticRound.open(out.with_name(round_name(round_index - 1))) if kept else None
    PointRenderer().render_round(
        RenderJob(
            predictions_dir=predictions,
            out_dir=out,
            round_index=round_index,
            run_seed=0,
            sample_ids=frozenset(redrawn),
            kept=before.entries_of(kept) if before else (),
            store=store,
        )
    )
    return out


@pytest.fixture
def stored(bucket: str, tmp_path: Path) -> Path:
    return render(tmp_path, 0, store=f"{bucket}/run")


@pytest.fixture
def ranges(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int]]:
    """Which parts of objects are fetched."""
    fetched = []
    read_range = ObjectStore.read_range

    def noting(store: ObjectStore, key: str, offset: int, size: int) -> bytes | None:
        fetched.append((key, offset, size))
        return read_range(store, key, offset, size)

    monkeypatch.setattr(ObjectStore, "read_range", noting)
    return fetched


def same(one: SyntheticSample, other: SyntheticSample) -> bool:
    return all(
        np.array_equal(getattr(one, each.name), getattr(other, each.name)) for each in dataclasses.fields(one)
    )


def test_twins_at_a_url_are_those_in_a_folder_and_nothing_of_them_is_in_the_folder(
    stored: Path, bucket: str, tmp_path: Path
) -> None:
    local = render(tmp_path / "local", 0, store=None)
    here, there = SyntheticRound.open(local), SyntheticRound.open(stored)
    assert here.sample_ids == there.sample_ids == NAMES
    assert all(same(here.read(name), there.read(name)) for name in NAMES)
    assert [*stored.glob("shard-*")] == []
    objects = ObjectStore(f"{bucket}/run/round-0000").find()
    assert sorted(objects) == [path.name for path in sorted(local.glob("shard-0*"))]
    for path in local.glob("shard-0*"):
        assert ObjectStore(f"{bucket}/run/round-0000").read(path.name) == path.read_bytes()


def test_a_sample_is_one_range_and_is_fetched_once(stored: Path, ranges: list[tuple[str, int, int]]) -> None:
    expected = SyntheticRound.open(stored).read("00000001")
    entry = SyntheticRound.open(stored)._shard(0).index.samples["00000001"]
    assert ranges == [("shard-00000.tar", entry.offset, entry.size)]
    assert same(SyntheticRound.open(stored).read("00000001"), expected)
    assert len(ranges) == 1


def test_twins_that_are_on_this_disk_need_no_network(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = SyntheticRound.open(stored).read("00000001")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert same(SyntheticRound.open(stored).read("00000001"), expected)


def test_the_disk_takes_no_more_than_was_said(stored: Path, tmp_path: Path) -> None:
    twins = SyntheticRound.open(stored, cache_mb=1)
    for name in NAMES:
        twins.read(name)
    folder = tmp_path / "cache/twins"
    assert {path.stat().st_size for path in folder.iterdir()} & {
        entry.size for entry in twins._shard(0).index.samples.values()
    }
    assert sum(path.stat().st_blocks * 512 for path in folder.iterdir()) <= 1_000_000


def test_a_twin_that_was_damaged_on_this_disk_is_fetched_again(
    stored: Path, tmp_path: Path, ranges: list[tuple[str, int, int]]
) -> None:
    expected = SyntheticRound.open(stored).read("00000001")
    for path in (tmp_path / "cache/twins").iterdir():
        if not path.name.startswith("."):
            path.write_bytes(path.read_bytes()[:-7])
    assert same(SyntheticRound.open(stored).read("00000001"), expected)
    assert len(ranges) == 2


def test_a_twin_that_was_damaged_in_the_store_is_refused(stored: Path, bucket: str) -> None:
    store = ObjectStore(f"{bucket}/run/round-0000")
    tar = bytearray(store.read("shard-00000.tar") or b"")
    tar[3000] ^= 1
    store.write("shard-00000.tar", bytes(tar))
    message = r"s3://.*/run/round-0000/shard-00000.tar: expected sample 00000000 to have sha256"
    with pytest.raises(ShardError, match=message):
        SyntheticRound.open(stored).read("00000000")
    assert SyntheticRound.open(stored).read("00000002").labels.sample_id == "00000002"


def test_another_index_than_was_committed_is_refused(stored: Path, bucket: str) -> None:
    store = ObjectStore(f"{bucket}/run/round-0000")
    store.write("shard-00000.index.json", (store.read("shard-00000.index.json") or b"") + b" ")
    with pytest.raises(ShardError, match=r"s3://.*/shard-00000.index.json: expected sha256"):
        SyntheticRound.open(stored).read("00000000")


def test_a_shard_that_is_gone_or_has_no_index_is_missing(stored: Path, bucket: str) -> None:
    store = ObjectStore(f"{bucket}/run/round-0000")
    assert SyntheticRound.open(stored).missing_shards() == []
    store.delete(["shard-00000.index.json", "shard-00001.tar"])
    missing = SyntheticRound.open(stored).missing_shards()
    assert [path.name for path in missing] == ["shard-00000.tar", "shard-00001.tar"]
    with pytest.raises(ShardError, match=r"shard-00000.index.json: expected a part of a round, found none"):
        SyntheticRound.open(stored).read("00000000")


def test_a_store_that_does_not_answer_is_one_line(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> bytes:
        raise PermissionError("Access Denied")

    twins = SyntheticRound.open(stored)
    monkeypatch.setattr(twins._shard(0)._store._files, "cat_file", fails)  # type: ignore[attr-defined]
    with pytest.raises(StorageError, match=r"s3://.*round-0000: .* access is refused .*Renew the cred"):
        twins.read("00000000")


@pytest.mark.parametrize("kind", ["bucket", "folder"])
def test_old_rounds_are_deleted_but_for_the_shards_that_are_still_shown(
    kind: str, bucket: str, tmp_path: Path
) -> None:
    url = f"{bucket}/run" if kind == "bucket" else f"file://{tmp_path}/store"
    render(tmp_path, 0, store=url)
    render(tmp_path, 1, store=url, redrawn=NAMES[:3])
    render(tmp_path, 2, store=url)
    parent, store = tmp_path / "synthetic", RoundStore(url)
    forget_rounds(parent, before=1, store=url)
    assert store.whole(0) == {"shard-00001.tar"}
    assert store.whole(1) == {"shard-00000.tar"}
    assert SyntheticRound.open(parent / "round-0001").read("00000004").labels.round_index == 0
    forget_rounds(parent, before=2, store=url)
    assert ObjectStore(store.folder(0)).find() == ObjectStore(store.folder(1)).find() == {}
    assert store.whole(2) == {"shard-00000.tar", "shard-00001.tar"}
    assert [path.name for path in parent.iterdir()] == ["round-0002"]


def test_what_is_deleted_half_way_is_deleted_by_the_next_call(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{bucket}/run"
    render(tmp_path, 0, store=url)
    render(tmp_path, 1, store=url)
    parent = tmp_path / "synthetic"
    with monkeypatch.context() as patch:
        patch.setattr(ObjectStore, "delete", failing)
        with pytest.raises(StorageError):
            forget_rounds(parent, before=1, store=url)
    assert not (parent / "round-0000/manifest.json").exists()
    forget_rounds(parent, before=1, store=url)
    assert ObjectStore(f"{url}/round-0000").find() == {}
    assert not (parent / "round-0000").exists()


def failing(*_: object) -> None:
    raise StorageError("no network")
