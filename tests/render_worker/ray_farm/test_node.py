"""A farm of several machines (Ray nodes of one, here), with the real Blender, and every fault there is.

After each fault, every sample is rendered exactly once or quarantined by name, and the bytes are those of a
round that nothing disturbed. The first shards of a round are written by workers, the last ones by the driver;
`test_faults` has every fault in both ways, without Ray.
"""

import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import ray

from render_worker.ray_farm import workers
from render_worker.ray_farm.node import FarmNode, Offer
from render_worker.ray_farm.pool import RenderPool
from render_worker.ray_farm.ray_token import token_path
from render_worker.release import this_release
from shared.errors import RenderError
from shared.seams.check import Finding
from shared.seams.renderer import RenderJob, RenderSettings
from shared.twins.rounds import SyntheticRound
from tests.support.capture import can_capture, captured
from tests.support.listening import listening_hosts
from tests.support.repository import ROOT
from tests.support.same_samples import assert_same_samples
from tests.support.small_farm import (
    ALWAYS,
    HANDS_PER_SHARD,
    PATIENCE_S,
    Farm,
    FaultPlan,
    Member,
    carry_to_workers,
    faulty_pool,
    job_of,
    start_head,
    write_hands,
)
from tests.support.small_scene import AnswersWithNoise, noise_jpeg, open_hand, write_backgrounds

pytestmark = [
    pytest.mark.slow,  # real farms
    pytest.mark.blender,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # Ray leaves its log files open
]
carry_to_workers()
NUM_SHARDS = 4
NUM_HANDS = NUM_SHARDS * HANDS_PER_SHARD
SETTINGS = RenderSettings(samples=4, timeout_s=4)


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """A head and no workers yet."""
    ray.shutdown()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    farm = start_head(tmp_path_factory.mktemp("farm"), port=port)
    yield farm
    ray.shutdown()
    farm.close()


@pytest.fixture(scope="module")
def two_machines(farm: Farm) -> Farm:
    """The head, and two machines of one slot each."""
    members = [farm.join(name) for name in ("one", "two")]
    for member in members:
        member.wait_for("Joined")
    return farm


@pytest.fixture(scope="module")
def backgrounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_backgrounds(tmp_path_factory.mktemp("backgrounds"))


@pytest.fixture(scope="module")
def predictions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hands(tmp_path_factory.mktemp("predictions"), num_shards=NUM_SHARDS)


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> FaultPlan:
    return FaultPlan(tmp_path_factory.mktemp("faults"))


@pytest.fixture(autouse=True)
def no_faults_are_left(faults: FaultPlan) -> Iterator[None]:
    yield
    faults.clear()


@pytest.fixture(scope="module")
def pool(two_machines: Farm, backgrounds: Path, faults: FaultPlan) -> Iterator[RenderPool]:
    with faulty_pool(SETTINGS, backgrounds, faults, address=two_machines.address) as pool:
        yield pool


@pytest.fixture(scope="module")
def undisturbed(pool: RenderPool, predictions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A round that nothing happened to."""
    job = job_of(predictions, tmp_path_factory.mktemp("undisturbed"))
    report = pool.render_round(job)
    assert (report.rendered, report.quarantined, report.lost_workers) == (NUM_HANDS, (), 0)
    return job.out_dir


@pytest.fixture
def job(predictions: Path, tmp_path: Path) -> RenderJob:
    return job_of(predictions, tmp_path / "round-0002")


def wait_until(condition: Callable[[], bool]) -> None:
    give_up_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < give_up_s
        time.sleep(0.05)


def contents(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def test_a_farm_without_workers_is_waited_for_and_then_named(
    farm: Farm, backgrounds: Path, job: RenderJob, caplog: pytest.LogCaptureFixture
) -> None:
    settings = SETTINGS.model_copy(update={"patience_s": 1.5})
    with (
        RenderPool(settings, open_hand(), backgrounds, address=farm.address) as pool,
        pytest.raises(RenderError, match=r"expected a render worker within 1.5 s, found 0 starting"),
    ):
        pool.render_round(job)
    assert f"meshcycle render-workers --address {farm.address}" in caplog.text
    (line,) = (line for line in farm.members["head"].log.read_text().splitlines() if line.startswith("{"))
    assert json.loads(line) == {"address": farm.address, "slots": {}, "release": str(this_release())}


def test_everything_listens_on_the_loopback_interface_only(two_machines: Farm, undisturbed: Path) -> None:
    processes = [psutil.Process(member.process.pid) for member in two_machines.members.values()]
    listening = [host for process in processes for host in listening_hosts(process)]
    assert len(listening) > 10
    assert set(listening) == {"127.0.0.1"}


@pytest.mark.skipif(not can_capture(), reason="only root may listen to a network interface")
def test_a_listener_reads_the_token_and_the_pictures_of_a_farm_without_tls(pool: RenderPool) -> None:
    """What test_tls.py looks for in vain is there to be found."""
    pool.close()  # a worker that connects says the token
    with captured() as capture:
        ((_, picture),) = pool.render([AnswersWithNoise("a photograph", 1)])
    assert picture == noise_jpeg(1)
    assert capture.shows(token_path().read_bytes())
    assert capture.shows(noise_jpeg(1)[800:832])


def test_a_worker_killed_in_the_middle_of_a_frame_costs_nothing(
    pool: RenderPool, faults: FaultPlan, job: RenderJob, undisturbed: Path
) -> None:
    faults.inject("00000011", "SIGKILL", times=1)
    report = pool.render_round(job)
    assert (report.lost_workers, report.retried, report.quarantined) == (1, 8, ())
    assert contents(job.out_dir) == contents(undisturbed)


def test_a_sample_that_always_crashes_blender_is_quarantined_alone(
    pool: RenderPool, faults: FaultPlan, job: RenderJob, undisturbed: Path
) -> None:
    faults.inject("00000005", "SIGSEGV", times=ALWAYS)
    report = pool.render_round(job)
    assert (report.quarantined, report.lost_workers) == (("00000005",), 4)
    assert SyntheticRound.open(job.out_dir).quarantined == {"00000005": "2 workers died while rendering it"}
    assert_same_samples(job.out_dir, undisturbed, quarantined={"00000005"})


def test_a_render_that_hangs_is_ended_tried_again_and_then_quarantined(
    pool: RenderPool, faults: FaultPlan, job: RenderJob, undisturbed: Path
) -> None:
    faults.inject("00000008", "hang", times=1)
    faults.inject("00000030", "hang", times=ALWAYS)
    report = pool.render_round(job)
    assert report.quarantined == ("00000030",)
    assert SyntheticRound.open(job.out_dir).quarantined == {"00000030": "2 workers not rendered within 4 s"}
    assert_same_samples(job.out_dir, undisturbed, quarantined={"00000030"})


def test_a_whole_machine_lost_in_the_middle_of_a_frame_costs_nothing(
    pool: RenderPool, faults: FaultPlan, job: RenderJob, undisturbed: Path, two_machines: Farm
) -> None:
    """Its raylet and its Blender die at once; the command there joins again by itself."""
    faults.inject("00000003", "lose-machine", times=1)
    report = pool.render_round(job)
    assert (report.lost_workers, report.retried, report.quarantined) == (1, 8, ())
    assert contents(job.out_dir) == contents(undisturbed)
    lost = next(m for m in two_machines.members.values() if "Lost the head" in m.log.read_text())
    lost.wait_for("Joined", times=2)


def test_after_a_killed_driver_only_the_missing_shards_are_rendered(
    pool: RenderPool,
    faults: FaultPlan,
    job: RenderJob,
    undisturbed: Path,
    backgrounds: Path,
    two_machines: Farm,
) -> None:
    pool.close()  # it holds all slots
    faults.inject("00000017", "pause", times=ALWAYS)
    call = (two_machines.address, job.predictions_dir, job.out_dir, backgrounds, faults.folder)
    code = f"from tests.support import small_farm; small_farm.render_with_faults(*{tuple(map(str, call))!r})"
    path = os.pathsep.join([str(ROOT), *sys.path])
    driver = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path})
    wait_until(lambda: len(list(job.out_dir.glob("*.index.json"))) == NUM_SHARDS - 1)
    driver.kill()
    driver.wait()
    faults.clear()
    report = pool.render_round(job)
    assert (report.rendered, report.reused) == (HANDS_PER_SHARD, NUM_HANDS - HANDS_PER_SHARD)
    assert contents(job.out_dir) == contents(undisturbed)


def test_machines_join_and_leave_in_the_middle_of_a_round(
    pool: RenderPool,
    job: RenderJob,
    undisturbed: Path,
    backgrounds: Path,
    faults: FaultPlan,
    two_machines: Farm,
) -> None:
    """A third machine renders as soon as it has joined; one that is told to leave finishes its own first."""
    pool.close()  # it holds all slots
    for sample_id in ("00000002", "00000010"):
        faults.inject(sample_id, "pause", times=ALWAYS)
    settings = SETTINGS.model_copy(update={"timeout_s": PATIENCE_S})
    with (
        faulty_pool(settings, backgrounds, faults, address=two_machines.address) as other,
        ThreadPoolExecutor(1) as thread,
    ):
        rendered = thread.submit(other.render_round, job)
        wait_until(lambda: faults.num_struck == 2)
        third = two_machines.join("three")
        wait_until(lambda: len(list(job.out_dir.glob("*.index.json"))) == NUM_SHARDS - 2)
        leaver = two_machines.members["two"]
        leaver.process.terminate()
        leaver.wait_for("Leaving")
        faults.clear()
        report = rendered.result()
        assert leaver.process.wait(PATIENCE_S) == 0
    assert (report.workers, report.lost_workers, report.retried) == (3, 0, 0)
    assert "Left the farm." in leaver.log.read_text()
    assert "Joined" in third.log.read_text()
    assert contents(job.out_dir) == contents(undisturbed)


def test_machines_with_another_release_or_device_are_left_out_and_said_so(
    pool: RenderPool,
    two_machines: Farm,
    backgrounds: Path,
    job: RenderJob,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    pool.close()  # it holds all slots
    impatient = SETTINGS.model_copy(update={"patience_s": 5.0})
    optix = impatient.model_copy(update={"device": "optix"})
    with (
        RenderPool(optix, open_hand(), backgrounds, address=two_machines.address) as other,
        pytest.raises(RenderError, match="expected slots for device optix, found cpu"),
    ):
        other.render_round(job)
    newer = replace(this_release(), version="9.9", code="0" * 64)
    monkeypatch.setattr(workers, "this_release", lambda: newer)
    with (
        RenderPool(impatient, open_hand(), backgrounds, address=two_machines.address) as other,
        pytest.raises(
            RenderError, match=r"expected meshcycle 9\.9 \(00000000\) with bpy .* as on this machine"
        ),
    ):
        other.render_round(job)
    assert caplog.text.count("Not rendering on") >= 3


def test_a_wrong_token_and_a_missing_one_are_named(farm: Farm, tmp_path: Path) -> None:
    options = ("--address", farm.address, "--workers", "0")
    quickly = {"RAY_gcs_server_port_wait_time_s": "2"}
    wrong = Member.start(tmp_path / "wrong.log", *options, RAY_AUTH_TOKEN="0" * 64, **quickly)
    missing = Member.start(tmp_path / "missing.log", *options, RAY_AUTH_TOKEN_PATH=str(tmp_path / "token"))
    for member, words in ((wrong, "expected its token, found another one"), (missing, "found no file")):
        assert member.process.wait(PATIENCE_S) == 2
        assert words in member.log.read_text()


def test_a_ray_that_starts_too_slowly_is_started_again_and_in_the_end_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Ray gives itself 30 seconds, which is too few on a machine whose cores are all busy."""
    slow = (False, False, ["Exception: The current node timed out during startup."])
    answers = [slow, slow, (True, True, [])]
    monkeypatch.setattr("render_worker.ray_farm.node.make_token", lambda: None)
    monkeypatch.setattr(FarmNode, "take_part", lambda *_: answers.pop(0) if answers else slow)
    FarmNode(workers=0).serve(lambda _: None)
    assert answers == []
    assert caplog.text.count("trying again") == 2
    with pytest.raises(RenderError, match="expected Ray to run, found that it ended") as caught:
        FarmNode(workers=0).serve(lambda _: None)
    assert caught.value.message.endswith("timed out during startup.")
    assert caught.value.remedy == "Look into /tmp/ray/session_latest/logs."


def test_a_gpu_with_a_comma_in_its_name_is_one_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"kind": "OPTIX", "names": ["Quadro, rev. 2: mobile", "Quadro"]}
    finding = Finding(check="Blender", status="ok", found="whatever is said", value=found)
    offered: list[Offer] = []

    def take_part(_: FarmNode, offer: Offer, *others: object) -> tuple[bool, bool, list[str]]:
        offered.append(offer)
        return True, True, []

    monkeypatch.setattr("render_worker.ray_farm.node.make_token", lambda: None)
    monkeypatch.setattr("render_worker.ray_farm.node.examine", lambda *_: iter([finding]))
    monkeypatch.setattr(FarmNode, "take_part", take_part)
    FarmNode(device="optix").serve(lambda farm: None)
    assert offered == [Offer({"render_optix": 2}, num_gpus=2)]


def test_a_head_outlives_a_dashboard_that_does_not_start() -> None:
    """Ray ends a head whose dashboard was asked for by name and is slow, as on a busy machine."""
    wanted = FarmNode(workers=0, dashboard_host="0.0.0.0")._command(Offer({}, num_gpus=0))
    assert "--include-dashboard" not in wanted
    assert wanted[wanted.index("--dashboard-host") + 1] == "0.0.0.0"
    without = FarmNode(workers=0, dashboard=False)._command(Offer({}, num_gpus=0))
    assert without[without.index("--include-dashboard") + 1] == "false"
    assert "--dashboard-host" not in without
