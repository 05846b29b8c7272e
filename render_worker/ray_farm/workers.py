"""The workers of a pool: as many as its machines offer. They may join, leave and die at any time."""

import logging
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final, cast

from render_worker.drawing_device import DrawingDevice
from render_worker.ray_farm.engine import Engine, WorkerDiedError, WorkerLostError
from render_worker.ray_farm.head import HeadWatch
from render_worker.ray_farm.patience import Patience
from render_worker.ray_farm.slots import RenderSlots
from render_worker.release import Release, this_release
from render_worker.requests import WorkerState
from shared.errors import DeviceError, MeshcycleError, RenderError
from shared.seams.renderer import RenderSettings

logger = logging.getLogger(__name__)

_READ_OFFERS_EVERY_S: Final = 1.0
_TICK_S: Final = 1.0
_FAILED_STARTS: Final = 3
"""Workers of a machine that may die in a row before they are ready, until it is refused."""
_LOST_DEVICES: Final = 8
"""Workers of a machine that may lose their device in a row, until it is refused; with many GPUs, one each.

A picture that breaks every GPU costs one less until it is found: two with its shard, two in a call of some
pictures, three alone.
"""


@dataclass(eq=False)
class Worker:
    """One Blender process.

    Attributes:
        actor: Its handle.
        slots: Those of which it takes one.
        state: What it said about itself when it was ready; None before.
    """

    actor: Any
    slots: RenderSlots
    state: WorkerState | None = None


class WorkerSet:
    """Starts a worker for every slot that is offered, and knows which are ready and idle.

    Args:
        engine: Runs them.
        settings: Device, number of workers, and patience.
        address: Of the farm; None if all workers are on this machine, which no other will join.
    """

    def __init__(
        self,
        engine: Engine,
        settings: RenderSettings,
        *,
        address: str | None,
    ) -> None:
        self._engine = engine
        self._settings, self._address = settings, address
        self._head = HeadWatch(address)
        self.idle: list[Worker] = []
        self.starting: dict[Any, Worker] = {}
        """Workers that are not ready, by the reference that becomes ready with them."""
        self._workers: list[Worker] = []
        self._slot_keys: set[tuple[str, str]] = set()
        self._refused: dict[tuple[str, str], MeshcycleError] = {}
        self._failed_starts: Counter[tuple[str, str]] = Counter()
        self._lost_devices: Counter[tuple[str, str]] = Counter()
        self._kinds: dict[tuple[str, str], str] = {}
        """With what kind of device the workers of a machine drew last."""
        self._release = this_release()
        self._offers_read_s = float("-inf")
        self._patience = Patience(settings.patience_s)

    @property
    def num_ready(self) -> int:
        """Number of workers that can render, or do."""
        return len(self._workers) - len(self.starting)

    @property
    def state(self) -> WorkerState | None:
        """What one of the ready workers renders with."""
        return next((worker.state for worker in self._workers if worker.state is not None), None)

    def follow(self) -> None:
        """Start workers in free slots, and stop idle ones whose machine is about to leave.

        Raises:
            RenderError: The head of the farm is lost.
        """
        now_s = time.monotonic()
        if now_s - self._offers_read_s < _READ_OFFERS_EVERY_S:
            return
        self._offers_read_s = now_s
        self._head.ask()
        if self._head.is_silent:  # Ray could not say what is offered
            return
        offered_slots = {_slot_key(slots): slots for slots in self._engine.offered()}
        for slots in offered_slots.values():
            if not slots.accepts(self._settings):
                self._refuse(slots, _unsuitable(slots, self._settings))
        self._slot_keys = set(offered_slots)
        for worker in [worker for worker in self.idle if not self.is_wanted(worker)]:
            self.stop(worker)
        taken = Counter(_slot_key(worker.slots) for worker in self._workers)
        for slot_key, slots in offered_slots.items():
            free = 0 if slot_key in self._refused else slots.count - taken[slot_key]
            if self._settings.workers is not None:
                free = min(free, self._settings.workers - len(self._workers))
            for _ in range(free):
                self._start(slots)

    def is_wanted(self, worker: Worker) -> bool:
        """Tell whether a worker may take more work: its machine is there, and stays."""
        return _slot_key(worker.slots) in self._slot_keys

    def is_there(self, worker: Worker) -> bool:
        """Tell whether the machine of a lost worker is still part of the cluster."""
        self._offers_read_s = float("-inf")
        self.follow()
        return self.is_wanted(worker)

    def admit(self, reference: Any) -> None:
        """Admit a worker that is ready, or find out why it never will be."""
        worker = self.starting.pop(reference)
        slot_key = _slot_key(worker.slots)
        try:
            worker.state = cast("WorkerState", self._engine.result(reference))
            self._require_same_release(worker.slots, worker.state.release)
            self._require_asked_kind(worker.slots, worker.state.device)
        except MeshcycleError as error:
            self.stop(worker)
            self._refuse(worker.slots, error)
        except (WorkerDiedError, WorkerLostError) as error:
            self.stop(worker)
            if isinstance(error, WorkerLostError) and error.before_it_began:
                return
            self._failed_starts[slot_key] += 1
            if self._failed_starts[slot_key] >= _FAILED_STARTS and self.is_there(worker):
                self._refuse(worker.slots, _failed(worker.slots, error))
        else:
            del self._failed_starts[slot_key]
            self.idle.append(worker)

    def require_device(self, worker: Worker, drew: DrawingDevice) -> None:
        """Make sure that a worker drew with what it had said it would; its machine is trusted again then.

        Raises:
            DeviceError: It did not.
        """
        if worker.state is not None and drew != worker.state.device:
            raise DeviceError(f"expected to draw with {worker.state.device} as at the start, found {drew}.")
        del self._lost_devices[_slot_key(worker.slots)]

    def retire(self, worker: Worker, error: DeviceError) -> None:
        """Stop a worker that has lost its device, and say so.

        Another one is tried in its place, which finds out by itself whether the device is there; a machine
        where that happens again and again is refused.
        """
        logger.warning(
            "A render worker on %s is retired: %s Its pictures are drawn elsewhere.",
            worker.slots.host,
            error.message,
        )
        self.stop(worker)
        slot_key = _slot_key(worker.slots)
        self._lost_devices[slot_key] += 1
        if self._lost_devices[slot_key] >= max(_LOST_DEVICES, worker.slots.count):
            self._refuse(worker.slots, error)

    def stop(self, worker: Worker) -> None:
        """Stop a worker; its slot is filled again if it is still offered."""
        if not self._head.is_silent:  # Ray would wait for its answer
            self._engine.kill(worker.actor)
        self._workers.remove(worker)
        if worker in self.idle:
            self.idle.remove(worker)
        self._offers_read_s = float("-inf")

    def close(self) -> None:
        """Stop all workers."""
        self.starting.clear()
        for worker in [*self._workers]:
            self.stop(worker)

    def ready(self, references: list[Any]) -> list[Any]:
        """Wait a moment for any of them, and return those that are ready.

        Raises:
            RenderError: Ray has ended.
        """
        if not references:
            time.sleep(_TICK_S)
            return []
        try:
            return self._engine.wait(references, _TICK_S)
        except OSError as error:  # from the pipe to Ray's process on this machine
            raise self._head.lost(str(error)) from error

    def warn_once_or_give_up(self) -> None:
        """Warn that no worker is ready, and give up after a while.

        Raises:
            RenderError: No worker came in time.
            MeshcycleError: None can come: the reason why the last machine was refused.
        """
        if self.num_ready:
            if self._patience.end():
                logger.info("A render worker is ready; rendering resumes.")
            return
        self._patience.begin()
        if self._all_are_refused and (self._address is None or self._patience.is_over):
            raise next(reversed(self._refused.values()))
        if self._patience.is_over:
            raise RenderError(
                (
                    f"{self._where}: expected a render worker within {self._patience.limit_s:g} s, found "
                    f"{len(self.starting)} starting and none ready."
                ),
                remedy=f"{self._remedy} Then repeat the command; it resumes.",
            )
        if not self.starting and self._patience.warns_now():
            logger.warning(
                "%s: no render worker is ready; waiting for one up to %g s. %s",
                self._where,
                self._patience.limit_s,
                self._remedy,
            )

    @property
    def _all_are_refused(self) -> bool:
        """Whether workers are offered, and none of them may be used."""
        return bool(self._slot_keys) and all(slot_key in self._refused for slot_key in self._slot_keys)

    @property
    def _where(self) -> str:
        return f"render farm at {self._address}" if self._address else "this machine"

    @property
    def _remedy(self) -> str:
        address = self._address or "HEAD:PORT"
        return f"Start some, on any machine: meshcycle render-workers --address {address}"

    def _start(self, slots: RenderSlots) -> None:
        worker = Worker(self._engine.start(slots), slots)
        self._workers.append(worker)
        self.starting[self._engine.state(worker.actor)] = worker

    def _require_same_release(self, slots: RenderSlots, found: Release) -> None:
        if not found.renders_like(self._release):
            raise RenderError(
                (
                    f"{slots.host}: expected {self._release} as on this machine, found {found}; its pictures "
                    "could differ."
                ),
                remedy="Install the same release there.",
            )

    def _require_asked_kind(self, slots: RenderSlots, device: DrawingDevice) -> None:
        """Make sure that a worker draws with the kind of device that was asked for; say if that changes."""
        asked = slots.device or self._settings.device
        kind = "eevee" if self._settings.engine == "eevee" and not device.is_cpu else asked
        if kind not in ("auto", device.kind.lower()):
            raise DeviceError(
                f"{slots.host}: expected to draw with {asked}, found {device}.",
                remedy='Set device = "auto" to draw with whatever there is.',
            )
        before = self._kinds.setdefault(_slot_key(slots), device.kind)
        if before != device.kind:
            logger.warning(
                "%s: a worker draws with %s, where others drew with %s, as device auto allows.",
                slots.host,
                device,
                before,
            )
            self._kinds[_slot_key(slots)] = device.kind

    def _refuse(self, slots: RenderSlots, reason: MeshcycleError) -> None:
        if _slot_key(slots) not in self._refused and self._address is not None:
            logger.warning("Not rendering on %s. %s", slots.host, reason)
        self._refused[_slot_key(slots)] = reason


def _slot_key(slots: RenderSlots) -> tuple[str, str]:
    return slots.node_id, slots.device


def _unsuitable(slots: RenderSlots, settings: RenderSettings) -> RenderError:
    return RenderError(
        f"{slots.host}: expected slots for device {settings.device}, found {slots.device}.",
        remedy='Set device = "auto" to use whatever the farm offers.',
    )


def _failed(slots: RenderSlots, error: WorkerDiedError | WorkerLostError) -> RenderError:
    said = (str(error).strip() or "nothing").splitlines()
    if (
        isinstance(error, WorkerDiedError) and error.out_of_memory
    ):  # its other lines say how to switch Ray's check off
        reason, remedy = said[0], "Give a smaller number of --workers, or end what else takes memory there."
    else:
        reason, remedy = said[-1], "Look at what `meshcycle doctor` says there."
    return RenderError(
        (
            f"{slots.host}: expected render workers to start, found that {_FAILED_STARTS} "
            "died, the last with: "
            f"{reason.strip().rstrip('.')}."
        ),
        remedy=remedy,
    )
