"""What workers are asked for, what they answer, and the part of a render pool that asks them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol, runtime_checkable

from render_worker.drawing_device import DrawingDevice
from render_worker.picture.background import Photographs
from render_worker.picture.mesh import CappedMesh
from render_worker.picture.request import Scene
from render_worker.release import Release
from shared.backgrounds import BackgroundReader
from shared.hand_model import HandModel
from shared.seams.renderer import RenderSettings

KERNELS_S: Final = 1800.0
"""What a GPU may take for its first picture, for which it compiles its kernels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderContext:
    """Everything that a request may use to render itself.

    Attributes:
        scene: Renders hands.
        mesh: Their triangles.
        photographs: What is behind them.
        settings: How pictures are made.
        begin_picture: Called by a request for many pictures before each of them, because the time limit is
            one picture's.
        begin_files: Called by such a request before it reads or writes files, which has as much time as a
            picture.
        doubt_device: Called by such a request with the error of a picture that failed; raises a DeviceError
            if what draws is to blame, not the picture.
        require_device: Called by such a request before it stores what was drawn; raises a DeviceError if what
            draws is no longer what drew at the start.
    """

    scene: Scene
    mesh: CappedMesh
    photographs: Photographs
    settings: RenderSettings
    begin_picture: Callable[[], None] = lambda: None
    begin_files: Callable[[], None] = lambda: None
    doubt_device: Callable[[Exception], None] = lambda _: None
    require_device: Callable[[], object] = lambda: None


class Request[Picture](Protocol):
    """A picture to make. Its randomness comes from seeds that it carries, so making it twice is safe."""

    @property
    def sample_id(self) -> str:
        """Name of the picture, for errors."""
        ...

    def render(self, context: RenderContext) -> Picture:
        """Make the picture.

        Raises:
            RenderError: This one cannot be made; others can.
        """
        ...


@runtime_checkable
class ManyPictures(Protocol):
    """What a request has, besides what all have, if it asks for more than one picture.

    It takes a call of its own. If its worker dies, it fails at once, and whoever asked divides it.
    """

    @property
    def num_pictures(self) -> int:
        """So many."""
        ...


def pictures_in(requests: Iterable[Request[object]]) -> int:
    """Count the pictures that some requests ask for."""
    return sum(request.num_pictures if isinstance(request, ManyPictures) else 1 for request in requests)


def in_calls[Picture](
    requests: Iterable[Request[Picture]], most_pictures: int
) -> Iterator[tuple[Request[Picture], ...]]:
    """Yield requests call by call: some for one picture each, or one for many; they are taken as needed."""
    together: list[Request[Picture]] = []
    for request in requests:
        if isinstance(request, ManyPictures):
            if together:
                yield tuple(together)
                together = []
            yield (request,)
            continue
        together.append(request)
        if len(together) == most_pictures:
            yield tuple(together)
            together = []
    if together:
        yield tuple(together)


@dataclass(frozen=True, slots=True)
class FailedRequest:
    """A picture that cannot be made.

    Attributes:
        sample_id: Name of the picture.
        reason: Why not.
    """

    sample_id: str
    reason: str


class Answers[Picture](NamedTuple):
    """What a worker answers.

    Attributes:
        answers: A picture, or the reason why there is none, per request and in their order.
        memory_bytes: Resident memory of the worker's process afterwards.
        device: What drew them, as read back before and after.
    """

    answers: list[Picture | FailedRequest]
    memory_bytes: int
    device: DrawingDevice


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What a worker says about itself.

    Attributes:
        bpy_version: Version of Blender.
        device: What really renders.
        release: What is installed around it.
    """

    bpy_version: str
    device: DrawingDevice
    release: Release


@dataclass(slots=True, kw_only=True)
class PoolStats:
    """How a pool is doing, for its progress bar and its report.

    Attributes:
        workers: Workers that are ready or rendering.
        most_workers: The most at any moment.
        lost_workers: Workers that died, hung, or left with their machine in the middle of a picture.
        retried: Pictures that were asked for again because of that.
    """

    workers: int = 0
    most_workers: int = 0
    lost_workers: int = 0
    retried: int = 0

    def add(self, later: "PoolStats") -> None:
        """Note what happened in a later call."""
        self.most_workers = max(self.most_workers, later.most_workers)
        self.lost_workers += later.lost_workers
        self.retried += later.retried

    def record(self, *, workers: int) -> None:
        """Note how many workers there are at this moment."""
        self.workers = workers
        self.most_workers = max(self.most_workers, workers)


class RequestRenderer(Protocol):
    """The part of a render pool that a round, or a data set, needs."""

    settings: RenderSettings
    hand_model: HandModel
    photographs: BackgroundReader

    @property
    def stats(self) -> PoolStats:
        """How the latest call of `render` is doing."""
        ...

    def start(self) -> WorkerState:
        """Start the workers, and return what they render with."""
        ...

    def render[Picture](
        self, requests: Iterable[Request[Picture]]
    ) -> Iterator[tuple[Request[Picture], Picture | FailedRequest]]:
        """Yield every request with its picture, or with why there is none, in any order."""
        ...
