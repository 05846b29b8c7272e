"""The Ray actor made of a render worker, and Ray itself, started quietly and once per process."""

import logging
import os
from typing import Any, NamedTuple

import ray

from render_worker.worker import RenderWorker
from shared.errors import RenderError
from shared.renderer import RenderSettings

# A sync actor runs on the main thread of its process, which Blender needs; concurrency groups would not.
# Ray neither restarts it nor repeats its calls: the pool replaces it, and decides what is tried again.
RenderActor: Any = ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(RenderWorker)


class Crew(NamedTuple):
    """How many workers to run, and what each of them takes.

    Attributes:
        num_workers: Number of workers.
        gpu_share: Part of a GPU that each occupies.
    """

    num_workers: int
    gpu_share: float


def connect(address: str | None, settings: RenderSettings) -> Crew:
    """Start or join Ray, unless this process has done so before, and return what to run on it.

    Args:
        address: Of a running cluster; None starts one on this machine, for this process.
        settings: Number of workers and kind of device.

    Raises:
        RenderError: The cluster cannot be reached, or has too few cores for the workers.
    """
    if not ray.is_initialized():
        _start(address, num_workers=settings.workers)
    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    cores, gpus = int(resources.get("CPU", 0)), resources.get("GPU", 0.0)
    if settings.device == "cpu" or not gpus:
        crew = Crew(settings.workers or cores, gpu_share=0.0)
    else:
        crew = Crew(settings.workers or int(gpus * settings.workers_per_gpu), 1 / settings.workers_per_gpu)
    if crew.num_workers > cores or crew.num_workers * crew.gpu_share > gpus:
        raise RenderError(
            f"render pool: expected at least {crew.num_workers} cores and "
            f"{crew.num_workers * crew.gpu_share:g} GPUs, found {cores} and {gpus:g}. Ask for fewer workers."
        )
    return crew


def _start(address: str | None, *, num_workers: int | None) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # Ray warns of a change otherwise
    local: dict[str, Any] = {"include_dashboard": False}
    if num_workers is not None:
        local["num_cpus"] = max(num_workers, len(os.sched_getaffinity(0)))
    try:
        ray.init(
            address=address or "local",
            log_to_driver=False,
            logging_level=logging.ERROR,
            **({} if address else local),
        )
    except (ConnectionError, ValueError) as error:
        raise RenderError(
            f"Ray at {address}: expected a running cluster, {error}. Start it, or leave the address out."
        ) from error
