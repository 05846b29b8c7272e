"""Workers that die before they are ready: how often they are replaced, and what is said in the end."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import ray
from ray.exceptions import OutOfMemoryError, RayActorError, RayError

from render_worker.drawing_device import DrawingDevice
from render_worker.ray_farm.slots import RenderSlots
from render_worker.ray_farm.workers import Worker, WorkerSet
from render_worker.release import this_release
from render_worker.requests import WorkerState
from shared.errors import DeviceError, RenderError
from shared.seams.renderer import RenderDevice, RenderSettings
from tests.support.starting_engine import StartingEngine

GPU = DrawingDevice("OPTIX", ("NVIDIA L4",))
CPU = DrawingDevice("CPU", ("a processor",))
OFFER = RenderSlots(node_id="node", host="host", count=1, device="cpu", gpu_share=0.0)
OUT_OF_MEMORY = OutOfMemoryError(  # type: ignore[no-untyped-call]
    "Memory on the node was 30GB / 31GB. Ray killed this worker.\n\nSet RAY_memory_monitor_refresh_ms=0.\n"
)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            RayActorError(error_msg="It died.\nKilled."),
            r"the last with: Killed\. Look at what `meshcycle doctor`",
        ),
        (OUT_OF_MEMORY, r"was 30GB / 31GB\. Ray killed this worker\. Give a smaller number of --workers"),
    ],
    ids=["died", "out of memory"],
)
def test_a_machine_whose_workers_die_at_the_start_is_named_with_the_reason(
    error: RayError, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def died(_: object) -> None:
        raise error

    monkeypatch.setattr(ray, "get", died)
    monkeypatch.setattr(ray, "kill", lambda _: None)
    workers = WorkerSet(StartingEngine.of([OFFER]), RenderSettings(), address=None)
    for _ in range(3):
        workers.warn_once_or_give_up()
        workers.follow()
        workers.admit(*workers.starting)
    with pytest.raises(
        RenderError, match=f"host: expected render workers to start, found that 3 died, .*{said}"
    ):
        workers.warn_once_or_give_up()


@pytest.fixture
def gpu_workers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., WorkerSet]:
    """Makes workers that draw, one after the other, with these devices."""

    def make(*devices: DrawingDevice, asked: RenderDevice = "optix") -> WorkerSet:
        says = iter(devices)
        monkeypatch.setattr(ray, "kill", lambda _: None)
        monkeypatch.setattr(ray, "get", lambda _: WorkerState("5.2", next(says), this_release()))
        settings = RenderSettings(device=asked)
        slots = replace(OFFER, device="", gpu_share=1.0)
        return WorkerSet(StartingEngine.of([slots]), settings, address=None)

    return make


def next_worker(workers: WorkerSet) -> Worker:
    workers.follow()
    workers.admit(*workers.starting)
    return workers.idle[-1]


def test_a_worker_that_draws_with_something_else_than_asked_is_refused(
    gpu_workers: Callable[..., WorkerSet],
) -> None:
    workers = gpu_workers(CPU)
    workers.follow()
    workers.admit(*workers.starting)
    assert workers.num_ready == 0
    with pytest.raises(DeviceError, match="host: expected to draw with optix, found CPU: a processor"):
        workers.warn_once_or_give_up()


def test_pictures_that_something_else_drew_are_not_taken(gpu_workers: Callable[..., WorkerSet]) -> None:
    workers = gpu_workers(GPU)
    worker = next_worker(workers)
    workers.require_device(worker, GPU)
    with pytest.raises(DeviceError, match="with OPTIX: NVIDIA L4 as at the start, found CPU: a processor"):
        workers.require_device(worker, CPU)


def test_a_machine_whose_gpu_is_lost_again_and_again_is_refused_with_the_reason(
    gpu_workers: Callable[..., WorkerSet], caplog: pytest.LogCaptureFixture
) -> None:
    workers = gpu_workers(*[GPU] * 8)
    for _ in range(8):
        workers.warn_once_or_give_up()
        workers.retire(next_worker(workers), DeviceError("expected OPTIX, found CPU."))
    retired = [line for line in caplog.messages if line.startswith("A render worker on host is retired")]
    assert (
        retired
        == [
            "A render worker on host is retired: expected OPTIX, found CPU. Its pictures are drawn elsewhere."
        ]
        * 8
    )
    with pytest.raises(DeviceError, match="expected OPTIX, found CPU"):
        workers.warn_once_or_give_up()


def test_losses_of_a_machine_whose_workers_draw_well_in_between_are_not_added_up(
    gpu_workers: Callable[..., WorkerSet],
) -> None:
    workers = gpu_workers(*[GPU] * 20)
    for _ in range(19):
        worker = next_worker(workers)
        workers.require_device(worker, GPU)
        workers.retire(worker, DeviceError("expected OPTIX, found CPU."))
    assert next_worker(workers).state is not None


def test_with_device_auto_the_cpu_takes_over_and_that_is_said(
    gpu_workers: Callable[..., WorkerSet], caplog: pytest.LogCaptureFixture
) -> None:
    workers = gpu_workers(GPU, CPU, asked="auto")
    workers.retire(next_worker(workers), DeviceError("expected OPTIX, found CPU."))
    assert next_worker(workers).state is not None
    said = "host: a worker draws with CPU: a processor, where others drew with OPTIX, as device auto allows."
    assert said in caplog.messages
