"""The pool of processes: rounds, interruptions, deaths; with a stand-in for Blender unless marked."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread

import numpy as np
import psutil
import pytest
import ray

from render_worker.ray_farm.pool import RenderPool
from render_worker.requests import FailedRequest, Request
from shared.errors import DeviceError, RenderError, ShardError
from shared.seams.renderer import RenderJob, RenderSettings
from shared.twins.predictions import PredictionShard, write_predictions
from shared.twins.rounds import SyntheticRound
from shared.twins.shard_index import index_path
from tests.support import small_scene
from tests.support.listening import listening_hosts
from tests.support.small_scene import (
    AnswersItsName,
    FlatScene,
    KillsItsWorker,
    LeaksMemory,
    open_hand,
    refuse_device,
    write_backgrounds,
)
from trainer.hands.sampled import labelled_hand

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # Ray leaves its log files open
# Workers cannot import modules of tests.
ray.cloudpickle.register_pickle_by_value(small_scene)  # type: ignore[no-untyped-call]
NUM_HANDS = 10
IMAGE_PX = 64


def write_round(folder: Path) -> Path:
    """Two prediction shards of five hands; the fourth hand is behind the edge of the picture."""
    hands = [labelled_hand(open_hand(), seed=0, index=index) for index in range(NUM_HANDS)]
    verts_m = np.stack([hand.verts_m - hand.verts_m.mean(axis=0) for hand in hands])
    cameras = np.tile(np.array([8, 0, 0], np.float32), (NUM_HANDS, 1))
    cameras[3, 1] = 5
    for first in (0, 5):
        part = slice(first, first + 5)
        shard = PredictionShard(
            sample_ids=tuple(f"{index:08d}" for index in range(NUM_HANDS))[part],
            verts_m=verts_m[part],
            joints_m=verts_m[part, :21],
            cameras=cameras[part],
            round_index=2,
            image_px=IMAGE_PX,
        )
        write_predictions(folder / f"shard-{first // 5:05d}.safetensors", shard)
    return folder


@pytest.fixture(scope="module")
def backgrounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_backgrounds(tmp_path_factory.mktemp("backgrounds"))


@pytest.fixture(scope="module")
def predictions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_round(tmp_path_factory.mktemp("predictions"))


@pytest.fixture
def job(predictions: Path, tmp_path: Path) -> RenderJob:
    return RenderJob(
        predictions_dir=predictions,
        out_dir=tmp_path / "round-0002",
        round_index=2,
        run_seed=7,
        checkpoint_sha256="weights",
        config_sha256="config",
    )


@pytest.fixture(scope="module")
def pool(backgrounds: Path) -> Iterator[RenderPool]:
    settings = RenderSettings(workers=2)
    with RenderPool(settings, open_hand(), backgrounds, start_scene=FlatScene) as pool:
        yield pool


def contents(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_a_round_has_every_sample_once_or_in_quarantine(pool: RenderPool, job: RenderJob) -> None:
    report = pool.render_round(job)
    twins = SyntheticRound.open(job.out_dir)
    expected = [f"{index:08d}" for index in range(NUM_HANDS) if index != 3]
    assert list(twins.sample_ids) == expected
    assert twins.quarantined.keys() == {"00000003"}
    assert "expected the hand in the picture" in twins.quarantined["00000003"]
    assert (report.rendered, report.reused, report.quarantined) == (9, 0, ("00000003",))
    sample = twins.read("00000004")
    assert sample.labels.round_index == 2
    assert sample.labels.background.key.startswith("plain/")
    provenance = twins.provenance
    assert provenance is not None
    assert (provenance.device, provenance.checkpoint_sha256, provenance.run_seed) == (
        "CPU: flat",
        "weights",
        7,
    )


def test_a_round_on_this_machine_opens_no_door_to_others(pool: RenderPool, job: RenderJob) -> None:
    """Whatever listens while a round renders: Ray's head, its agents, its workers, and this process."""
    seen: list[str] = []
    is_done = Event()

    def watch() -> None:
        while not is_done.wait(0.1):
            seen.extend(listening_hosts(psutil.Process()))

    watcher = Thread(target=watch)
    watcher.start()
    try:
        pool.render_round(job)
    finally:
        seen.extend(listening_hosts(psutil.Process()))
        is_done.set()
        watcher.join()
    assert len(seen) > 5
    assert set(seen) == {"127.0.0.1"}


def test_shards_that_are_whole_are_kept_and_others_drawn_again(pool: RenderPool, job: RenderJob) -> None:
    pool.render_round(job)
    complete = contents(job.out_dir)
    (job.out_dir / "manifest.json").unlink()
    index_path(job.out_dir / "shard-00001.tar").unlink()
    report = pool.render_round(job)
    assert (report.rendered, report.reused) == (5, 4)
    assert contents(job.out_dir) == complete
    report = pool.render_round(job)
    assert (report.rendered, report.reused) == (0, 9)


@pytest.mark.parametrize("changed", ["run_seed", "checkpoint_sha256"])
def test_shards_of_another_run_are_not_kept(pool: RenderPool, job: RenderJob, changed: str) -> None:
    pool.render_round(job)
    other = replace(job, run_seed=8) if changed == "run_seed" else replace(job, checkpoint_sha256="others")
    assert pool.render_round(other).rendered == 9


def test_missing_predictions_are_named(pool: RenderPool, job: RenderJob, tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="expected prediction shards, found none"):
        pool.render_round(replace(job, predictions_dir=tmp_path / "nowhere"))


def test_a_dead_worker_is_replaced_and_nothing_is_lost(pool: RenderPool, tmp_path: Path) -> None:
    kills = tmp_path / "kills"
    kills.write_text("x")
    requests: list[Request[str]] = [
        KillsItsWorker(f"{n}", kills) if n == 11 else AnswersItsName(f"{n}") for n in range(20)
    ]
    answers = dict(pool.render(requests))
    assert {request.sample_id: answer for request, answer in answers.items()} == {
        f"{n}": f"{n}" for n in range(20)
    }


def test_a_request_that_always_kills_is_refused_alone(pool: RenderPool, tmp_path: Path) -> None:
    kills = tmp_path / "kills"
    kills.write_text("x" * 50)
    requests: list[Request[str]] = [
        KillsItsWorker(f"{n}", kills) if n == 3 else AnswersItsName(f"{n}") for n in range(9)
    ]
    answers = dict(pool.render(requests))
    assert len(answers) == 9
    refused = [answer for answer in answers.values() if isinstance(answer, FailedRequest)]
    assert [(refusal.sample_id, refusal.reason) for refusal in refused] == [
        ("3", "2 workers died while rendering it")
    ]


@pytest.mark.slow
def test_a_worker_that_grows_too_large_is_replaced_between_two_pictures(
    pool: RenderPool, backgrounds: Path
) -> None:
    pool.close()  # it holds all cores
    settings = RenderSettings(workers=1, worker_memory_mb=900)
    with RenderPool(settings, open_hand(), backgrounds, start_scene=FlatScene) as other:
        answers = dict(other.render([LeaksMemory(f"{n}", 100) for n in range(24)]))
    assert [request.sample_id for request in answers] == [f"{n}" for n in range(24)]
    assert len(set(answers.values())) == 3


def test_an_error_of_a_worker_comes_home_as_itself(pool: RenderPool, backgrounds: Path) -> None:
    pool.close()  # it holds all cores
    settings = RenderSettings(workers=1, device="optix")
    other = RenderPool(settings, open_hand(), backgrounds, start_scene=refuse_device)
    with other, pytest.raises(DeviceError, match=r"^--device optix: expected an OPTIX device, found none"):
        other.start()


def test_more_workers_than_this_machine_has_room_for_are_refused(pool: RenderPool, backgrounds: Path) -> None:
    pool.start()  # Ray runs already
    with (
        RenderPool(RenderSettings(workers=5000), open_hand(), backgrounds) as other,
        pytest.raises(RenderError, match=r"expected at most [0-9]+ workers on this machine, found 5000"),
    ):
        other.start()


@pytest.mark.blender
def test_one_worker_and_two_give_the_same_bytes_in_spite_of_a_crash(
    pool: RenderPool, backgrounds: Path, job: RenderJob, tmp_path: Path
) -> None:
    pool.close()  # it holds all cores
    rounds = {}
    for workers in (1, 2):
        settings = RenderSettings(workers=workers, samples=4)
        here = replace(job, out_dir=tmp_path / f"workers-{workers}")
        with RenderPool(settings, open_hand(), backgrounds) as blenders:
            if workers == 2:
                kills = tmp_path / "kills"
                kills.write_text("x")
                list(blenders.render([KillsItsWorker("0", kills)]))
            blenders.render_round(here)
        rounds[workers] = contents(here.out_dir)
    assert rounds[1] == rounds[2]
    assert sum(name.startswith("shard-") for name in rounds[1]) == 4
