"""The Ray actor made of a render worker."""

from typing import Any

import ray

from render_worker.worker import RenderWorker

# A sync actor runs on the main thread of its process, which Blender needs; concurrency groups would not.
# Ray neither restarts it nor repeats its calls: the pool replaces it, and decides what is tried again.
RenderActor: Any = ray.remote(num_cpus=0, max_restarts=0, max_task_retries=0)(RenderWorker)
