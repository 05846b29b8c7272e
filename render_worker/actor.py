"""The Ray actor made of a render worker, and Ray itself, started quietly and once per process."""

import logging
import os
from typing import Any

import ray

from render_worker.worker import RenderWorker
from shared.errors import RenderError

# A sync actor runs on the main thread of its process, which Blender needs; concurrency groups would not.
# Ray neither restarts it nor repeats its calls: the pool replaces it, and decides what is tried again.
RenderActor: Any = ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(RenderWorker)


def connect(address: str | None, *, num_workers: int | None) -> int:
    """Start or join Ray, unless this process has done so before, and return the number of workers to run.

    Args:
        address: Of a running cluster; None starts one on this machine, for this process.
        num_workers: Wanted number; None is one per core of the cluster.

    Raises:
        RenderError: The cluster cannot be reached, or has fewer cores than workers are wanted.
    """
    if not ray.is_initialized():
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
    cores = int(ray.cluster_resources().get("CPU", 0))  # type: ignore[no-untyped-call]
    if (num_workers or 1) > cores:
        raise RenderError(
            f"render pool: expected at least {num_workers or 1} cores for as many workers, found {cores}. "
            "Ask for fewer workers."
        )
    return num_workers or cores
