"""Render workers as Ray actors."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import ray
from ray.exceptions import (
    ActorUnavailableError,
    ActorUnschedulableError,
    ObjectLostError,
    OutOfMemoryError,
    RayActorError,
    RayTaskError,
)

from render_worker.picture.background import Photographs
from render_worker.picture.mesh import CappedMesh
from render_worker.ray_farm.engine import WorkerDiedError, WorkerLostError
from render_worker.ray_farm.slots import RenderSlots
from render_worker.requests import Request
from render_worker.worker import RenderWorker, SceneStarter
from shared.errors import MeshcycleError
from shared.seams.renderer import RenderSettings

# A sync actor runs on the main thread of its process, which Blender needs; concurrency groups would not.
# Ray neither restarts it nor repeats its calls: the pool replaces it, and decides what is tried again.
RenderActor: Any = ray.remote(num_cpus=0, max_restarts=0, max_task_retries=0)(RenderWorker)


class RayEngine:
    """Ray, which this process has started or joined: an `render_worker.ray_farm.engine.Engine`.

    Args:
        settings: How pictures are made.
        mesh: The hand that is rendered.
        photographs: What is behind the hands.
        start_scene: Replaces Blender in tests.
        offered: Returns the slots that are offered at this moment.
    """

    def __init__(
        self,
        settings: RenderSettings,
        mesh: CappedMesh,
        photographs: Photographs,
        *,
        start_scene: SceneStarter,
        offered: Callable[[], Iterable[RenderSlots]],
    ) -> None:
        self._settings, self._mesh, self._photographs = settings, mesh, photographs
        self._start_scene = start_scene
        self.offered = offered

    def start(self, slots: RenderSlots) -> Any:
        """Start an actor."""
        device = {"device": slots.device} if slots.device else {}
        return RenderActor.options(**slots.options).remote(
            self._mesh,
            self._settings.model_copy(update=device),
            photographs=self._photographs,
            start_scene=self._start_scene,
        )

    def state(self, worker: Any) -> Any:
        """Ask an actor for its state."""
        return worker.state.remote()

    def render(self, worker: Any, requests: Sequence[Request[Any]]) -> Any:
        """Ask an actor for pictures."""
        return worker.render.remote(requests)

    def wait(self, references: Sequence[Any], timeout_s: float) -> list[Any]:
        """Wait for one answer, and return all that are there then."""
        ready, waiting = ray.wait([*references], timeout=timeout_s)
        if ready and waiting:  # a question for one of a thousand costs as much as one for all of them
            more, _ = ray.wait(waiting, num_returns=len(waiting), timeout=0)
            ready = [*ready, *more]
        return cast("list[Any]", ready)

    def result(self, reference: Any) -> object:
        """Return an answer; an error that a worker raised for the user arrives as itself."""
        try:
            return cast("object", ray.get(reference))
        except RayTaskError as error:
            if isinstance(error.cause, MeshcycleError):
                raise error.cause from None
            raise
        except ActorUnschedulableError as error:
            raise WorkerLostError(str(error), before_it_began=True) from error
        except (ActorUnavailableError, ObjectLostError) as error:
            raise WorkerLostError(str(error)) from error
        except OutOfMemoryError as error:
            raise WorkerDiedError(str(error), out_of_memory=True) from error
        except RayActorError as error:
            raise WorkerDiedError(str(error)) from error

    def kill(self, worker: Any) -> None:
        """End an actor."""
        ray.kill(worker)
