"""What a pool needs of whatever runs its workers: Ray, or a simulation of a farm that is too large."""

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from render_worker.ray_farm.slots import RenderSlots
from render_worker.requests import Request


class WorkerDiedError(Exception):
    """A worker's process has ended in the middle of a call.

    Args:
        said: The last that is known of it.
        out_of_memory: Whether it was ended because its machine ran out of memory.
    """

    def __init__(self, said: str, *, out_of_memory: bool = False) -> None:
        super().__init__(said)
        self.out_of_memory = out_of_memory


class WorkerLostError(Exception):
    """The way to a worker was lost, as with its machine, which says nothing about what it was asked for.

    Args:
        said: What is known.
        before_it_began: Whether its machine left before the worker was there.
    """

    def __init__(self, said: str, *, before_it_began: bool = False) -> None:
        super().__init__(said)
        self.before_it_began = before_it_began


class Engine(Protocol):
    """Runs workers; what it calls a worker, and the answer that it owes, is its own business."""

    def offered(self) -> Iterable[RenderSlots]:
        """Return the slots that are offered at this moment."""
        ...

    def start(self, slots: RenderSlots) -> Any:
        """Start a worker in a slot."""
        ...

    def state(self, worker: Any) -> Any:
        """Ask a worker for its `WorkerState`; return a reference to its answer."""
        ...

    def render(self, worker: Any, requests: Sequence[Request[Any]]) -> Any:
        """Ask a worker for `Answers`; return a reference to them."""
        ...

    def wait(self, references: Sequence[Any], timeout_s: float) -> list[Any]:
        """Wait until an answer is there, or for some time, and return the references whose answers are.

        Raises:
            OSError: The engine itself has ended.
        """
        ...

    def result(self, reference: Any) -> object:
        """Return an answer.

        Raises:
            WorkerDiedError: The worker died.
            WorkerLostError: It was lost.
            MeshcycleError: Whatever it raised for the user.
        """
        ...

    def kill(self, worker: Any) -> None:
        """End a worker at once."""
        ...
