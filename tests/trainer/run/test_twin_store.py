"""A run whose twins are at a URL: the same bits as one that has them in its folder, whatever happens."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from shared.errors import ConfigError, MeshcycleError, StorageError
from shared.storage.object_store import ObjectStore
from shared.twins.stored_shards import RoundStore
from tests.support.fakes import PointRenderer
from tests.support.kill_points import Killed, killing_call
from tests.support.small_run import small_config
from trainer.config.run import TrainConfig
from trainer.inspection.shards import inspect_shards
from trainer.inspection.twin_strips import choose_twins
from trainer.run.checkpoint import WEIGHTS
from trainer.run.claim import move_aside
from trainer.run.folder import RunFolder, open_run
from trainer.run.records import read_records
from trainer.run.twin_store import require_store, store_of
from trainer.training.learner import Learner
from trainer.training.loop import train

ROUNDS = 3
HARD = {"samples": "hard", "twins_per_photograph": 2}
DRIFT = {"refresh": {"policy": "drift", "threshold_mm": 20}}
FRACTION = {"refresh": {"policy": "fraction", "share": 0.5}, "mode": "overlap"}


def config_of(
    folder: Path, *, url: str | None, recycle: dict[str, Any] | None = None, **more: Any
) -> TrainConfig:
    table = {"backgrounds": "unused", "keep_rounds": 1, "store": url, **(recycle or {})}
    return small_config(folder, rounds=ROUNDS, recycle=table, **more)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MESHCYCLE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache/twins"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"file://{tmp_path}/rounds"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = config_of(tmp_path_factory.mktemp("local"), url=None)
    train(config, renderer=PointRenderer(), resume=False)
    return config.run_dir


def assert_same_run(found: Path, expected: Path) -> None:
    for run in (1, ROUNDS - 1):
        weights = [each / f"checkpoints/round-000{run}" / WEIGHTS for each in (found, expected)]
        assert weights[0].read_bytes() == weights[1].read_bytes()
    records = [read_records(RunFolder(each)) for each in (found, expected)]
    for part in ("losses", "scores", "rendered", "kept"):
        if hasattr(records[0][0], part):
            values = [[getattr(record, part) for record in each] for each in records]
            assert values[0] == values[1]


def test_a_run_is_the_same_to_the_bit_and_its_folder_has_no_twins(
    tmp_path: Path, url: str, local: Path, cache: Path
) -> None:
    config = config_of(tmp_path, url=url)
    train(config, renderer=PointRenderer(), resume=False)
    assert_same_run(config.run_dir, local)
    assert [*config.run_dir.rglob("*.tar")] == []
    store = store_of(config.run_dir)
    assert store is not None
    assert store.startswith(f"{url}/run-")
    assert RoundStore(store).whole(0) == set()  # only one round is kept
    assert len(RoundStore(store).whole(1)) == 3
    assert any(path.stat().st_size > 1000 for path in cache.iterdir())
    found, expected = (inspect_shards([run]) for run in (config.run_dir, local))
    assert found.to_text() == expected.to_text()
    assert [row.path.name for row in found.rows] == [row.path.name for row in expected.rows]
    assert all(row.shard.place.startswith(store) for row in found.rows)
    assert len(choose_twins([row.shard for row in found.rows], count=4)) == 4


@pytest.mark.parametrize(
    ("owner", "name", "call"),
    [
        pytest.param(PointRenderer, "render_shard", 5, id="mid-render"),
        pytest.param(Learner, "step", 6, id="mid-epoch-with-twins", marks=pytest.mark.slow),
        pytest.param(RoundStore, "forget", 1, id="while-old-twins-are-deleted", marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_run_ends_with_the_bits_of_an_uninterrupted_one(
    tmp_path: Path, url: str, local: Path, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, call: int
) -> None:
    config = config_of(tmp_path, url=url)
    with monkeypatch.context() as patch:
        killing_call(patch, owner, name, call=call)
        with pytest.raises(Killed):
            train(config, renderer=PointRenderer(), resume=False)
    store = store_of(config.run_dir)
    train(config, renderer=PointRenderer(), resume=True)
    assert store_of(config.run_dir) == store
    assert_same_run(config.run_dir, local)


@pytest.mark.slow
@pytest.mark.parametrize("recycle", [HARD, DRIFT, FRACTION], ids=["hard", "drift", "fraction-overlapping"])
def test_twins_are_chosen_kept_and_judged_as_in_a_folder(
    tmp_path: Path, url: str, recycle: dict[str, Any]
) -> None:
    runs = []
    for name, store in (("here", None), ("there", url)):
        config = config_of(tmp_path, url=store, recycle=recycle, run_dir=tmp_path / name)
        train(config, renderer=PointRenderer(), resume=False)
        runs.append(config.run_dir)
    assert_same_run(runs[1], runs[0])


@pytest.mark.slow
def test_twins_are_read_by_several_processes_with_a_cache_that_is_too_small(
    tmp_path: Path, url: str, local: Path, cache: Path
) -> None:
    config = config_of(tmp_path, url=url, data__workers=2, data__cache_mb=1)
    train(config, renderer=PointRenderer(), resume=False)
    assert_same_run(config.run_dir, local)
    assert 0 < sum(path.stat().st_blocks * 512 for path in cache.iterdir()) <= 1_000_000


@pytest.mark.slow
def test_shards_that_are_lost_in_the_store_are_drawn_again(
    tmp_path: Path, url: str, local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(tmp_path, url=url)
    with monkeypatch.context() as patch:
        killing_call(patch, Learner, "step", call=6)  # in the first round with twins
        with pytest.raises(Killed):
            train(config, renderer=PointRenderer(), resume=False)
    folder = RoundStore(str(store_of(config.run_dir))).folder(0)
    ObjectStore(folder).delete(["shard-00001.index.json"])
    renderer = PointRenderer()
    train(config, renderer=renderer, resume=True)
    assert [job.round_index for job in renderer.jobs] == [0, 1]
    assert_same_run(config.run_dir, local)


@pytest.mark.slow
def test_an_empty_machine_goes_on_from_the_mirror_with_the_twins_in_the_store(
    tmp_path: Path, url: str, local: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = config_of(tmp_path, url=url, mirror=f"file://{tmp_path}/mirror")
    with monkeypatch.context() as patch:
        killing_call(patch, Learner, "step", call=8)  # in the last round
        with pytest.raises(Killed):
            train(config, renderer=PointRenderer(), resume=False)
    renderer = PointRenderer()
    empty = config.model_copy(update={"run_dir": tmp_path / "elsewhere"})
    train(empty, renderer=renderer, resume=True)
    assert renderer.jobs == []
    assert store_of(empty.run_dir) == store_of(config.run_dir)
    assert_same_run(empty.run_dir, local)


def test_a_run_that_begins_anew_leaves_the_twins_of_the_old_one_alone(tmp_path: Path, url: str) -> None:
    config = config_of(tmp_path, url=url)
    stores = []
    for _ in range(2):
        open_run(config, image_px=64)
        open_run(config, image_px=64)  # resumed
        stores.append(store_of(config.run_dir))
        move_aside(config.run_dir)
    assert stores == [store_of(tmp_path / "run.1"), store_of(tmp_path / "run.2")]
    assert len({*stores}) == 2


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("sss://bucket/x", "no such kind of URL"),
        ("data://x", "expected a place that can be written"),
        ("s3://no-such-bucket-of-anybody/x", "no such bucket"),
    ],
)
def test_a_store_that_cannot_be_used_is_refused_before_anything_is_touched(
    tmp_path: Path, bucket: str, url: str, complaint: str
) -> None:
    config = config_of(tmp_path, url=url)
    with pytest.raises(StorageError, match=complaint):
        train(config, renderer=PointRenderer(), resume=False)
    assert not config.run_dir.exists()


def test_without_credentials_nothing_is_touched(
    tmp_path: Path, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(store: ObjectStore, key: str, content: bytes) -> None:
        with store._failing_as("write"):
            raise PermissionError("Access Denied")

    monkeypatch.setattr(ObjectStore, "write", refused)
    config = config_of(tmp_path, url=f"{bucket}/rounds")
    with pytest.raises(StorageError, match=r"access is refused \(Access Denied\)\. Renew the credentials"):
        train(config, renderer=PointRenderer(), resume=False)
    assert not config.run_dir.exists()


def test_nothing_of_the_trial_stays(bucket: str) -> None:
    require_store(f"{bucket}/rounds")
    assert ObjectStore(f"{bucket}/rounds").find() == {}


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a folder that all machines see, let run_dir be there"):
        config_of(tmp_path, url=str(tmp_path))


def test_a_run_cannot_move_its_twins(tmp_path: Path, url: str) -> None:
    open_run(config_of(tmp_path, url=url), image_px=64)
    with pytest.raises(ConfigError, match=r"expected recycle.store = file://"):
        open_run(config_of(tmp_path, url=f"{url}2"), image_px=64)


@pytest.mark.slow
def test_old_twins_that_cannot_be_deleted_now_are_deleted_later(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(store: RoundStore, round_index: int, **_: object) -> None:
        raise StorageError(f"{store.url}: no network")

    config = config_of(tmp_path, url=url)
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(RoundStore, "forget", fails)
        train(config, renderer=PointRenderer(), resume=False)
    assert "Old twins stay, to be deleted after the next round" in caplog.text
    store = RoundStore(str(store_of(config.run_dir)))
    assert len(store.whole(0)) == 3
    RunFolder(config.run_dir).forget_rounds(before=1)
    assert store.whole(0) == set()


def test_a_place_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "store.json").write_text(json.dumps({"format": "meshcycle-store-1", "url": 3}))
    with pytest.raises(
        MeshcycleError, match=r"store.json: expected the place of a run's twins, found 1 wrong"
    ):
        store_of(tmp_path)
