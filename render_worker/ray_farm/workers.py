"""The workers of a pool: as many as the machines at hand offer, who join, leave, and die at any time."""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, cast

import ray
from ray.exceptions import ActorUnschedulableError, OutOfMemoryError, RayActorError, RayTaskError

from render_worker.ray_farm.head import HeadWatch
from render_worker.ray_farm.slots import Offer
from render_worker.release import Release, this_release
from render_worker.worker import WorkerState
from shared.errors import MeshcycleError, RenderError
from shared.seams.renderer import RenderSettings

logger = logging.getLogger(__name__)

_LOOK_EVERY_S: Final = 1.0
_TICK_S: Final = 1.0
_FAILED_STARTS: Final = 3
"""Workers of a machine that may die before they are ready, one after the other, until it is left alone."""


@dataclass(eq=False)
class Worker:
    """One Blender process.

    Attributes:
        actor: Its handle.
        offer: The slot that it takes.
        state: What it said about itself when it was ready; None before.
    """

    actor: Any
    offer: Offer
    state: WorkerState | None = None


class Crew:
    """Hires a worker for every slot that is offered, and knows who is ready and idle.

    Args:
        hire: Starts a worker's process in a slot.
        look: Returns what is offered at this moment.
        settings: Device, number of workers, and patience.
        address: Of the farm; None if everything happens on this machine, where nobody else will join.
    """

    def __init__(
        self,
        hire: Callable[[Offer], Any],
        look: Callable[[], Iterable[Offer]],
        settings: RenderSettings,
        *,
        address: str | None,
    ) -> None:
        self._hire, self._look = hire, look
        self._settings, self._address = settings, address
        self._head = HeadWatch(address)
        self.idle: list[Worker] = []
        self.starting: dict[Any, Worker] = {}
        """Workers that are not ready, by the reference that becomes ready with them."""
        self._workers: list[Worker] = []
        self._places: set[tuple[str, str]] = set()
        self._refused: dict[tuple[str, str], MeshcycleError] = {}
        self._failed_starts: Counter[tuple[str, str]] = Counter()
        self._release = this_release()
        self._looked_s = float("-inf")
        self._alone_since_s: float | None = None
        self._has_complained = False

    @property
    def num_ready(self) -> int:
        """Number of workers that can draw, or do."""
        return sum(worker.state is not None for worker in self._workers)

    @property
    def state(self) -> WorkerState | None:
        """What one of the ready workers draws with."""
        return next((worker.state for worker in self._workers if worker.state is not None), None)

    def follow(self) -> None:
        """Hire for slots that are free, and let idle workers go whose machine is about to leave.

        Raises:
            RenderError: The head of the farm is lost.
        """
        now_s = time.monotonic()
        if now_s - self._looked_s < _LOOK_EVERY_S:
            return
        self._looked_s = now_s
        self._head.ask()
        if self._head.is_silent:  # it would not say what is offered either
            return
        offers = {_place(offer): offer for offer in self._look()}
        for offer in offers.values():
            if not offer.suits(self._settings):
                self._refuse(offer, _unsuitable(offer, self._settings))
        self._places = set(offers)
        for worker in [worker for worker in self.idle if not self.is_wanted(worker)]:
            self.dismiss(worker)
        taken = Counter(_place(worker.offer) for worker in self._workers)
        for place, offer in offers.items():
            free = 0 if place in self._refused else offer.slots - taken[place]
            if self._settings.workers is not None:
                free = min(free, self._settings.workers - len(self._workers))
            for _ in range(free):
                self._start(offer)

    def is_wanted(self, worker: Worker) -> bool:
        """Tell whether a worker may go on: its machine is there, and stays."""
        return _place(worker.offer) in self._places

    def is_there(self, worker: Worker) -> bool:
        """Tell whether the machine of a worker that was lost still is part of the cluster."""
        self._looked_s = float("-inf")
        self.follow()
        return self.is_wanted(worker)

    def welcome(self, reference: Any) -> None:
        """Take in a worker that says it is ready, or find out why it never will be."""
        worker = self.starting.pop(reference)
        place = _place(worker.offer)
        try:
            worker.state = cast("WorkerState", result_of(reference))
            self._require_same_release(worker.offer, worker.state.release)
        except MeshcycleError as error:
            self.dismiss(worker)
            self._refuse(worker.offer, error)
        except ActorUnschedulableError:  # its machine has left in the meantime
            self.dismiss(worker)
        except (RayActorError, OutOfMemoryError) as error:
            self.dismiss(worker)
            self._failed_starts[place] += 1
            if self._failed_starts[place] >= _FAILED_STARTS and self.is_there(worker):
                self._refuse(worker.offer, _failed(worker.offer, error))
        else:
            del self._failed_starts[place]
            self.idle.append(worker)

    def dismiss(self, worker: Worker) -> None:
        """Stop a worker; its slot is filled again if it is still offered."""
        if not self._head.is_silent:  # Ray would wait for its answer
            ray.kill(worker.actor)
        self._workers.remove(worker)
        if worker in self.idle:
            self.idle.remove(worker)
        self._looked_s = float("-inf")

    def close(self) -> None:
        """Stop all workers."""
        self.starting.clear()
        for worker in [*self._workers]:
            self.dismiss(worker)

    def ready(self, references: list[Any]) -> list[Any]:
        """Wait a moment for any of them, and return those that are ready.

        Raises:
            RenderError: Ray has ended.
        """
        if not references:
            time.sleep(_TICK_S)
            return []
        try:
            ready, _ = ray.wait(references, timeout=_TICK_S)
        except OSError as error:  # from the pipe to Ray's process on this machine
            raise self._head.lost(str(error)) from error
        return cast("list[Any]", ready)

    def be_patient(self) -> None:
        """Let it be known that no worker is there, and give up after a while.

        Raises:
            RenderError: Nobody came in time.
            MeshcycleError: Nobody can come: the reason why the only machine was refused.
        """
        if self.num_ready:
            if self._has_complained:
                logger.info("A render worker is there; going on.")
            self._alone_since_s, self._has_complained = None, False
            return
        now_s = time.monotonic()
        since_s = self._alone_since_s = self._alone_since_s or now_s
        nobody_comes = self._places and all(place in self._refused for place in self._places)
        last_reason = next(reversed(self._refused.values()), None)
        if last_reason and nobody_comes and (self._address is None or self._is_late(since_s)):
            raise last_reason
        if self._is_late(since_s):
            raise RenderError(
                f"{self._where}: expected a render worker within {self._settings.patience_s:g} s, found "
                f"{len(self.starting)} starting and none ready. {self._remedy} Then repeat the command; it "
                "goes on from here."
            )
        if not self.starting and not self._has_complained:
            self._has_complained = True
            logger.warning(
                "%s: no render worker is there; waiting for one up to %g s. %s",
                self._where,
                self._settings.patience_s,
                self._remedy,
            )

    def _is_late(self, since_s: float) -> bool:
        return time.monotonic() - since_s > self._settings.patience_s

    @property
    def _where(self) -> str:
        return f"render farm at {self._address}" if self._address else "this machine"

    @property
    def _remedy(self) -> str:
        address = self._address or "HEAD:PORT"
        return f"Start some, on any machine: meshcycle render-workers --address {address}"

    def _start(self, offer: Offer) -> None:
        worker = Worker(self._hire(offer), offer)
        self._workers.append(worker)
        self.starting[worker.actor.state.remote()] = worker

    def _require_same_release(self, offer: Offer, found: Release) -> None:
        if not found.draws_like(self._release):
            raise RenderError(
                f"{offer.host}: expected {self._release} as on this machine, found {found}; its pictures "
                "could differ. Install the same release there."
            )

    def _refuse(self, offer: Offer, reason: MeshcycleError) -> None:
        if _place(offer) not in self._refused and self._address is not None:
            logger.warning("Not rendering on %s. %s", offer.host, reason)
        self._refused[_place(offer)] = reason


def result_of(reference: Any) -> object:
    """Wait for a result; an error that a worker raised for the user arrives as itself."""
    try:
        return cast("object", ray.get(reference))
    except RayTaskError as error:
        if isinstance(error.cause, MeshcycleError):
            raise error.cause from None
        raise


def _place(offer: Offer) -> tuple[str, str]:
    return offer.node_id, offer.device


def _unsuitable(offer: Offer, settings: RenderSettings) -> RenderError:
    return RenderError(
        f"{offer.host}: expected slots for device {settings.device}, found {offer.device}. "
        'Set device = "auto" to use whatever the farm offers.'
    )


def _failed(offer: Offer, error: RayActorError | OutOfMemoryError) -> RenderError:
    said = (str(error).strip() or "nothing").splitlines()
    if isinstance(error, OutOfMemoryError):  # its other lines say how Ray can be told to look away
        reason, remedy = said[0], "Give a smaller number of --workers, or end what else takes memory there."
    else:
        reason, remedy = said[-1], "Look at what `meshcycle doctor` says there."
    return RenderError(
        f"{offer.host}: expected render workers to start, found that {_FAILED_STARTS} died, the last with: "
        f"{reason.strip().rstrip('.')}. {remedy}"
    )
