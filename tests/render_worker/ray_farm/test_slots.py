"""Slots: how many workers a machine takes, and which part of its GPUs each of them gets; no GPU is needed."""

import math
from typing import Any

import pytest
import ray
from ray._private.state import state as cluster_state

from render_worker.ray_farm.slots import slots_of_cluster, slots_of_this_machine
from shared.seams.renderer import RenderSettings

UNITS = 10_000


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """What Ray says that the only machine has."""
    resources: dict[str, float] = {}
    node: dict[str, Any] = {
        "NodeID": "0" * 56,
        "Alive": True,
        "NodeManagerHostname": "gpu-box",
        "NodeManagerAddress": "10.0.0.7",
        "Resources": resources,
    }
    monkeypatch.setattr(ray, "nodes", lambda: [node])
    monkeypatch.setattr(cluster_state, "get_draining_nodes", lambda: {})
    return resources


def workers_that_ray_can_place(share: float, num_gpus: int) -> int:
    """Return how many fit: Ray counts in ten-thousandths, and never spreads a worker over two GPUs."""
    return num_gpus * (UNITS // int(share * UNITS + 1e-6))


@pytest.mark.parametrize("num_gpus", range(1, 9))
def test_every_worker_that_a_farms_machine_offers_finds_room_on_one_gpu(
    machine: dict[str, float], num_gpus: int
) -> None:
    """Five workers on two GPUs used to take two fifths each, so that the fifth waited for ever."""
    for workers in range(1, 40):
        machine |= {"GPU": float(num_gpus), "render_optix": float(workers)}
        (offer,) = slots_of_cluster()
        assert (offer.count, offer.device, offer.options["num_gpus"]) == (workers, "optix", offer.gpu_share)
        assert workers_that_ray_can_place(offer.gpu_share, num_gpus) >= workers
        assert offer.gpu_share == pytest.approx(1 / math.ceil(workers / num_gpus), abs=1 / UNITS)


@pytest.mark.parametrize("per_gpu", [1, 2, 3, 7, 64])
def test_every_worker_of_a_machine_of_its_own_finds_room_on_one_gpu(
    machine: dict[str, float], per_gpu: int
) -> None:
    machine |= {"CPU": 16.0, "GPU": 2.0}
    (offer,) = slots_of_this_machine(RenderSettings(device="optix", workers_per_gpu=per_gpu))
    assert offer.count == 2 * per_gpu
    assert workers_that_ray_can_place(offer.gpu_share, 2) >= offer.count


def test_workers_on_cpus_take_no_gpu(machine: dict[str, float]) -> None:
    machine |= {"CPU": 4.0, "GPU": 2.0, "render_cpu": 4.0}
    (here,) = slots_of_this_machine(RenderSettings(device="cpu"))
    (there,) = slots_of_cluster()
    assert (here.count, here.gpu_share, there.count, there.gpu_share) == (4, 0.0, 4, 0.0)
