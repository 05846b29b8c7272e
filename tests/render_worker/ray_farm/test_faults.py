"""Every fault, in all ways of writing shards: by the workers, to a URL too, and by the driver.

All of it happens inside of this process.

After each, every sample is there once or quarantined by name, with the bytes of an undisturbed round.
"""

import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any, Literal

import numpy as np
import pytest

from render_worker.ray_farm.pool import RenderPool
from render_worker.requests import ManyPictures
from render_worker.twins import whole_shard
from render_worker.twins.seen_place import PROOF, UnseenPlace, why_unseen
from render_worker.twins.shard_files import ShardPlace
from render_worker.twins.whole_shard import WholeShard
from shared.backgrounds import BackgroundWriter
from shared.backgrounds.verdicts import Verdict
from shared.errors import DeviceError, RenderError, ShardError, StorageError
from shared.seams.renderer import RenderJob, RenderSettings, RenderStopped
from shared.storage.files import temporary_name
from shared.storage.object_store import ObjectStore
from shared.twins.predictions import read_predictions, write_predictions
from shared.twins.rounds import SyntheticRound
from shared.twins.shard_index import index_path
from tests.support.home_engine import HomeEngine, dies, is_interrupted, is_lost, loses_its_device
from tests.support.same_samples import assert_same_samples
from tests.support.small_farm import HANDS_PER_SHARD, job_of, write_hands
from tests.support.small_scene import PlainPhotographs, open_hand, write_backgrounds

NUM_SHARDS = 5
WHOLE_SHARDS = 3
"""The last ones are too few for two workers."""
NUM_HANDS = NUM_SHARDS * HANDS_PER_SHARD


@pytest.fixture(scope="module")
def backgrounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_backgrounds(tmp_path_factory.mktemp("backgrounds"))


@pytest.fixture(scope="module")
def predictions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hands(tmp_path_factory.mktemp("predictions"), num_shards=NUM_SHARDS)


@pytest.fixture(params=["workers", "driver", "url"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def job(request: pytest.FixtureRequest, predictions: Path, tmp_path: Path) -> RenderJob:
    job = job_of(predictions, tmp_path / "round-0002")
    if "way" in request.fixturenames and request.getfixturevalue("way") == "url":
        job = replace(job, store=f"file://{tmp_path}/store")
    return job


@pytest.fixture
def farm(way: str, backgrounds: Path) -> HomeEngine:
    written_by: Literal["workers", "driver"] = "driver" if way == "driver" else "workers"
    return HomeEngine(RenderSettings(written_by=written_by), backgrounds)


@pytest.fixture(scope="module")
def undisturbed(backgrounds: Path, predictions: Path, tmp_path_factory: pytest.TempPathFactory) -> RenderJob:
    """A round that nothing happened to, by the driver."""
    job = job_of(predictions, tmp_path_factory.mktemp("undisturbed"))
    with pool_of(HomeEngine(RenderSettings(written_by="driver"), backgrounds)) as pool:
        pool.render_round(job)
    return job


def pool_of(farm: HomeEngine) -> RenderPool:
    return RenderPool(farm.settings, open_hand(), farm.backgrounds, engine=farm)


def shards_of(job: RenderJob) -> Path:
    """Return the folder with the shards."""
    return job.out_dir if job.store is None else job.out_dir.with_name("store") / job.out_dir.name


def contents(job: RenderJob) -> dict[str, bytes]:
    """Return all files of a round, with a manifest that does not say where the shards are."""
    files = {
        path.name: path.read_bytes()
        for folder in {job.out_dir, shards_of(job)}
        for path in sorted(folder.iterdir())
    }
    manifest = json.loads(files["manifest.json"])
    assert manifest.pop("store") == job.store
    return files | {"manifest.json": json.dumps(manifest).encode()}


def test_a_round_written_by_workers_is_that_of_the_driver_bit_for_bit(
    farm: HomeEngine, job: RenderJob, undisturbed: RenderJob
) -> None:
    with pool_of(farm) as pool:
        report = pool.render_round(job)
    assert (report.rendered, report.reused, report.quarantined) == (NUM_HANDS, 0, ())
    assert contents(job) == contents(undisturbed)
    whole = [request for call in farm.calls for request in call if isinstance(request, ManyPictures)]
    # The last shard is drawn picture by picture where a worker waits, and whole where all are busy.
    expected = (0,) if farm.settings.written_by == "driver" else (WHOLE_SHARDS, WHOLE_SHARDS + 1)
    assert len(whole) in expected
    assert all(len(call) == 1 for call in farm.calls if isinstance(call[0], ManyPictures))


def test_a_hand_that_cannot_be_drawn_is_refused_in_the_same_words(predictions: Path, tmp_path: Path) -> None:
    """Some hands are beside the picture, and one of four photographs cannot be read."""
    for source in predictions.iterdir():
        shard = read_predictions(source)
        shard.cameras[:4, 1] = 5
        write_predictions(tmp_path / "moved" / source.name, shard)
    damaged = damaged_backgrounds(tmp_path / "damaged")
    rounds = []
    for way in ("workers", "driver"):
        here = job_of(tmp_path / "moved", tmp_path / way / "round-0002")
        with pool_of(HomeEngine(RenderSettings(written_by=way), damaged)) as pool:
            report = pool.render_round(here)
        reasons = SyntheticRound.open(here.out_dir).quarantined
        assert set(report.quarantined) == reasons.keys()
        assert any("expected the hand in the picture" in reason for reason in reasons.values())
        assert any("plain/1: expected a photograph" in reason for reason in reasons.values())
        rounds.append(contents(here))
    assert rounds[0] == rounds[1]


def damaged_backgrounds(folder: Path) -> Path:
    photographs = PlainPhotographs()
    pictures = {photographs.key(n): photographs.image_bytes(n) for n in range(len(photographs))}
    pictures["plain/1"] = pictures["plain/1"][:30]
    with BackgroundWriter(folder) as writer:
        writer.add([Verdict(key=name, codec="png", detector="none") for name in pictures], pictures)
        writer.publish(np.ones(len(pictures), dtype=bool), rules={})
    return folder


def test_a_worker_killed_in_the_middle_of_a_shard_costs_nothing(
    farm: HomeEngine, job: RenderJob, undisturbed: RenderJob
) -> None:
    farm.faults["00000011"] = [dies]
    with pool_of(farm) as pool:
        report = pool.render_round(job)
    assert (report.lost_workers, report.retried, report.quarantined) == (1, 8, ())
    assert contents(job) == contents(undisturbed)


def test_a_sample_that_always_kills_is_quarantined_alone(
    farm: HomeEngine, job: RenderJob, undisturbed: RenderJob
) -> None:
    """A shard is divided into calls of eight, and such a call into single pictures."""
    farm.faults["00000005"] = [dies] * 9
    with pool_of(farm) as pool:
        report = pool.render_round(job)
    lost = 4 if farm.settings.written_by == "workers" else 3
    assert (report.quarantined, report.lost_workers) == (("00000005",), lost)
    assert SyntheticRound.open(job.out_dir).quarantined == {"00000005": "2 workers died while rendering it"}
    assert_same_samples(job.out_dir, undisturbed.out_dir, quarantined={"00000005"})


@pytest.mark.parametrize("name", ["00000005", "00000000"])
def test_a_sample_that_breaks_every_gpu_is_quarantined_alone(
    farm: HomeEngine, job: RenderJob, undisturbed: RenderJob, name: str
) -> None:
    """Before its machine, the only one, is given up for having lost so many."""
    farm.workers = 1
    farm.faults[name] = [loses_its_device] * 99
    with pool_of(farm) as pool:
        report = pool.render_round(job)
    lost = 7 if farm.settings.written_by == "workers" else 5
    assert (report.quarantined, report.lost_workers) == ((name,), lost)
    reason = SyntheticRound.open(job.out_dir).quarantined[name]
    assert reason == "2 workers lost their device while rendering it"
    assert_same_samples(job.out_dir, undisturbed.out_dir, quarantined={name})


def test_a_gpu_that_fails_whatever_it_draws_ends_the_round_and_blames_no_sample(
    farm: HomeEngine, job: RenderJob
) -> None:
    farm.workers = 1
    farm.faults.update({f"{n:08d}": [loses_its_device] * 99 for n in range(NUM_HANDS)})
    with pool_of(farm) as pool, pytest.raises(DeviceError, match="found that it fails"):
        pool.render_round(job)
    assert not [*shards_of(job).glob("*.tar")]


def test_what_is_lost_with_a_machine_is_asked_for_again_as_it_was(
    farm: HomeEngine, job: RenderJob, undisturbed: RenderJob
) -> None:
    farm.faults["00000003"] = [is_lost] * 3
    with pool_of(farm) as pool:
        report = pool.render_round(job)
    assert (report.lost_workers, report.retried, report.quarantined) == (3, 24, ())
    assert contents(job) == contents(undisturbed)
    lost = [call for call in farm.calls if "00000003" in names_of(call)]
    assert len(lost) == 4
    assert {names_of(call) for call in lost} == {names_of(lost[0])}


def names_of(call: Any) -> tuple[str, ...]:
    return call[0].names if isinstance(call[0], WholeShard) else tuple(each.sample_id for each in call)


def test_after_an_interruption_only_the_missing_shards_are_rendered(
    farm: HomeEngine, job: RenderJob, undisturbed: RenderJob
) -> None:
    farm.faults["00000017"] = [is_interrupted]
    with pool_of(farm) as pool, pytest.raises(KeyboardInterrupt):
        pool.render_round(job)
    kept = len(list(shards_of(job).glob("*.index.json")))
    assert 0 < kept < NUM_SHARDS
    assert not (job.out_dir / "manifest.json").exists()
    with pool_of(farm) as pool:
        report = pool.render_round(job)
    assert report.reused == kept * HANDS_PER_SHARD
    assert report.rendered == NUM_HANDS - report.reused
    assert contents(job) == contents(undisturbed)


def test_a_render_that_is_stopped_ends_and_goes_on_later(
    farm: HomeEngine, job: RenderJob, undisturbed: RenderJob
) -> None:
    stop = Event()
    farm.faults["00000009"] = [stop.set]
    with pool_of(farm) as pool, pytest.raises(RenderStopped):
        pool.render_round(job, stop=stop)
    with pool_of(farm) as pool:
        assert pool.render_round(job).reused > 0
    assert contents(job) == contents(undisturbed)


def test_shards_that_were_cut_or_changed_on_the_disk_are_rendered_again(
    farm: HomeEngine, job: RenderJob, undisturbed: RenderJob, caplog: pytest.LogCaptureFixture
) -> None:
    with pool_of(farm) as pool:
        pool.render_round(job)
        cut, flipped = (shards_of(job) / f"shard-0000{number}.tar" for number in (0, 1))
        os.truncate(cut, cut.stat().st_size // 2)
        changed = bytearray(flipped.read_bytes())
        changed[3000] ^= 1
        flipped.write_bytes(changed)
        report = pool.render_round(job)
    assert (report.rendered, report.reused) == (2 * HANDS_PER_SHARD, NUM_HANDS - 2 * HANDS_PER_SHARD)
    assert "shard-00001.tar has changed on the disk since it was written" in caplog.text
    assert contents(job) == contents(undisturbed)


@pytest.mark.parametrize("way", ["workers", "driver"])
def test_a_full_disk_is_named_and_the_round_goes_on_when_there_is_room(
    farm: HomeEngine, job: RenderJob, undisturbed: RenderJob
) -> None:
    job.out_dir.mkdir()
    # The kernel's own full disk, where the shard is written before it gets its name.
    full = job.out_dir / temporary_name("shard-00001.tar")
    full.symlink_to("/dev/full")
    with pool_of(farm) as pool:
        message = r"shard-00001.tar: .* No space left on device\. Make room"
        with pytest.raises(ShardError, match=message):
            pool.render_round(job)
        kept = len(list(job.out_dir.glob("*.index.json")))
        report = pool.render_round(job)
    assert report.reused == kept * HANDS_PER_SHARD
    assert contents(job) == contents(undisturbed)


def test_a_damaged_prediction_stops_the_round(farm: HomeEngine, job: RenderJob, tmp_path: Path) -> None:
    folder = tmp_path / "predictions"
    folder.mkdir()
    for path in job.predictions_dir.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    damaged = folder / "shard-00001.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:3000])
    with (
        pool_of(farm) as pool,
        pytest.raises(ShardError, match=r"shard-00001.safetensors: expected a prediction shard"),
    ):
        pool.render_round(job_of(folder, job.out_dir))


@pytest.mark.parametrize("hidden", ["the round", "the predictions"])
def test_pictures_pass_through_the_driver_where_a_worker_does_not_see_its_folders(
    backgrounds: Path,
    job: RenderJob,
    undisturbed: RenderJob,
    hidden: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    hide(hidden, monkeypatch)
    with pool_of(HomeEngine(RenderSettings(), backgrounds)) as pool:
        report = pool.render_round(job)
    assert report.rendered == NUM_HANDS
    assert caplog.text.count("all pictures pass through this machine") == 1
    assert contents(job) == contents(undisturbed)
    insisting = HomeEngine(RenderSettings(written_by="workers"), backgrounds)
    with pool_of(insisting) as pool, pytest.raises(RenderError, match=r"expected to see .*round-0002"):
        pool.render_round(job_of(job.predictions_dir, job.out_dir.with_name("other") / "round-0002"))


def hide(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the worker's machine show another folder under the same path, or none."""

    def elsewhere(place: ShardPlace, predictions_path: Path, secret: str) -> UnseenPlace | None:
        if what == "the round":
            return why_unseen(place, predictions_path, "of another folder")
        return why_unseen(place, Path("/no"), secret)

    monkeypatch.setattr(whole_shard, "why_unseen", elsewhere)


@pytest.mark.parametrize("way", ["url"])
def test_pictures_pass_through_the_driver_where_a_worker_does_not_see_its_store(
    farm: HomeEngine,
    job: RenderJob,
    undisturbed: RenderJob,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def elsewhere(place: ShardPlace, predictions_path: Path, secret: str) -> UnseenPlace | None:
        return why_unseen(place, predictions_path, "of another store")

    monkeypatch.setattr(whole_shard, "why_unseen", elsewhere)
    with pool_of(farm) as pool, pytest.raises(RenderError, match=r"to see file://.*/store/round-0002 as"):
        pool.render_round(job)
    with pool_of(HomeEngine(RenderSettings(), farm.backgrounds)) as pool:
        pool.render_round(job)
    assert caplog.text.count("round-0002: another store has this URL there") == 1
    assert contents(job) == contents(undisturbed)


@pytest.mark.parametrize("way", ["url"])
@pytest.mark.parametrize("written_by", ["workers", "driver"])
def test_a_store_that_fails_in_the_middle_is_one_line_and_half_a_shard_is_none(
    written_by: Literal["workers", "driver"],
    farm: HomeEngine,
    job: RenderJob,
    undisturbed: RenderJob,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It breaks off in a tar, and at the next attempt between a tar and its index."""
    farm.settings = RenderSettings(written_by=written_by)

    def breaks_off(store: ObjectStore, files: dict[str, Path], *, description: str) -> None:
        if "shard-00001.tar" in files:
            half = files["shard-00001.tar"].read_bytes()[:5000]
            (shards_of(job) / "shard-00001.tar").write_bytes(half)
            raise StorageError(f"{store.url}: expected to write it, found no network.")
        upload(store, files, description=description)

    def loses_the_index(store: ObjectStore, key: str, content: bytes) -> None:
        if key == "shard-00001.index.json":
            raise StorageError(f"{store.url}: expected to write it, found no network.")
        write(store, key, content)

    upload, write = ObjectStore.upload, ObjectStore.write
    for method, fails in (("upload", breaks_off), ("write", loses_the_index)):
        with monkeypatch.context() as patch, pool_of(farm) as pool:
            patch.setattr(ObjectStore, method, fails)
            with pytest.raises(ShardError) as caught:
                pool.render_round(job)
        assert re.fullmatch(
            r"file://.*/round-0002/shard-00001\.tar: expected to store a shard, found: .*no network\. "
            r"Then repeat the command; complete shards are kept\.",
            str(caught.value),
        )
        assert (shards_of(job) / "shard-00001.tar").exists()
        assert not (job.out_dir / "manifest.json").exists()
    kept = len(list(shards_of(job).glob("*.index.json")))
    with pool_of(farm) as pool:
        report = pool.render_round(job)
    assert (report.reused, report.rendered) == (kept * HANDS_PER_SHARD, NUM_HANDS - kept * HANDS_PER_SHARD)
    assert contents(job) == contents(undisturbed)


@pytest.mark.parametrize("way", ["workers", "url"])
def test_a_worker_that_was_given_up_leaves_the_shard_of_its_successor_alone(
    farm: HomeEngine, job: RenderJob, undisturbed: RenderJob
) -> None:
    def another_writes_it() -> None:
        shutil.copy(undisturbed.out_dir / "shard-00000.tar", shards_of(job))
        shutil.copy(undisturbed.out_dir / "shard-00000.index.json", shards_of(job))
        os.utime(shards_of(job) / "shard-00000.index.json", (1, 1))

    farm.faults["00000004"] = [another_writes_it]
    with pool_of(farm) as pool:
        report = pool.render_round(job)
    assert report.reused == HANDS_PER_SHARD
    assert index_path(shards_of(job) / "shard-00000.tar").stat().st_mtime == 1
    assert contents(job) == contents(undisturbed)


@pytest.mark.parametrize("way", ["workers", "driver"])
def test_what_workers_of_other_machines_left_half_written_is_gone_in_the_end(
    farm: HomeEngine, job: RenderJob, undisturbed: RenderJob
) -> None:
    job.out_dir.mkdir()
    (job.out_dir / ".shard-00000.tar.0123abcd-77.tmp").write_bytes(b"half")
    (job.out_dir / PROOF).write_text("of a driver that was killed")
    with pool_of(farm) as pool:
        pool.render_round(job)
    assert contents(job) == contents(undisturbed)
