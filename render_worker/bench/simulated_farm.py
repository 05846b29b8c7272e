"""A farm that is too large to have: the real driver, with a thousand workers that only take time.

The clock is one of its own: it runs with this process's processor time, and leaps ahead whenever the driver
would have waited. So what the driver takes counts in full, however busy the machine is, and an hour of a
farm takes a minute.
"""

import heapq
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from tqdm import tqdm

from render_worker.bench.frames import noise_photographs
from render_worker.bench.memory import MemoryPeak
from render_worker.drawing_device import DrawingDevice
from render_worker.ray_farm.engine import WorkerDiedError, WorkerLostError
from render_worker.ray_farm.pool import RenderPool
from render_worker.ray_farm.slots import RenderSlots
from render_worker.release import this_release
from render_worker.requests import Answers, ManyPictures, Request, WorkerState, pictures_in
from render_worker.twins.whole_shard import WholeShard, WrittenShard
from shared.hand_model import HandModel
from shared.seams.renderer import RenderJob, RenderReport, RenderSettings
from shared.twins.predictions import PredictionShard, encode_predictions
from shared.twins.shard_index import SampleEntry
from shared.twins.shard_writing import PackedSample

_DEVICE: Final = DrawingDevice("CPU")
_SLOTS_A_MACHINE: Final = 16
_START_S: Final = 3.0
"""From a worker's start to its first picture."""
_PICTURE_BYTES: Final = 28_400
_SPREAD: Final = 0.3
"""Standard deviation of the logarithm of what a call takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedFarm:
    """What became of a round on a simulated farm.

    Attributes:
        workers: So many.
        shards: Of the round.
        hands: Pictures in each.
        picture_s: What a picture takes a worker, on average.
        call_s: What Ray takes of the driver's processor for each call.
        deaths: Workers that died or were lost with their machine.
        round_s: Duration of the round on the farm's clock.
        busy_share: Time that workers drew, of the time that there was for all of them, from beginning to end.
        busy_share_before_end: The same until the last whole shard was handed out.
        driver_s: Processor time that the driver took, Ray's calls included.
        memory_before_mb: Of the driver.
        memory_peak_mb: The most.
    """

    workers: int
    shards: int
    hands: int
    picture_s: float
    call_s: float
    deaths: int
    round_s: float
    busy_share: float
    busy_share_before_end: float
    driver_s: float
    memory_before_mb: float
    memory_peak_mb: float

    @property
    def bytes_per_picture(self) -> float:
        """Growth of the driver's memory by picture."""
        return (self.memory_peak_mb - self.memory_before_mb) * 1e6 / (self.shards * self.hands)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        pictures = self.shards * self.hands
        return {
            **asdict(self),
            "pictures": pictures,
            "pictures_per_driver_s": pictures / self.driver_s,
            "memory_bytes_per_picture": self.bytes_per_picture,
        }

    def to_text(self) -> str:
        """Return a table for people."""
        rows = {
            "round": f"{self.round_s:.0f} s",
            "workers that died or were lost": f"{self.deaths}",
            "workers busy": f"{self.busy_share:.1%}",
            "  until the last whole shard": f"{self.busy_share_before_end:.1%}",
            "driver's processor": f"{self.driver_s:.1f} s",
            "pictures, driver's limit": f"{self.shards * self.hands / self.driver_s:.0f} /s",
            "driver's memory before": f"{self.memory_before_mb:.0f} MB",
            "driver's memory, most": f"{self.memory_peak_mb:.0f} MB",
            "  grown by": f"{self.bytes_per_picture:.0f} bytes per picture",
        }
        title = (
            f"{self.shards} shards of {self.hands} hands, {self.workers} simulated workers, "
            f"{self.picture_s:g} s a picture, {self.call_s * 1000:g} ms a call"
        )
        return "\n".join([title, *(f"{name:32}{value:>24}" for name, value in rows.items())])


def simulate_farm(
    hand_model: HandModel,
    *,
    workers: int,
    shards: int,
    hands: int,
    picture_s: float = 0.074,
    call_s: float = 0.0012,
    death_share: float = 0.001,
    folder: Path | None = None,
) -> SimulatedFarm:
    """Have the real driver run a round on a simulated farm.

    Args:
        hand_model: Whose vertices are predicted.
        workers: Of the farm.
        shards: Prediction shards; their files are holes, but for their names.
        hands: Hands in each.
        picture_s: What a picture takes a worker, on average.
        call_s: What Ray takes of the driver's processor for each call, as `bench farm` measures it.
        death_share: Calls in which a worker dies, or is lost with its machine.
        folder: Where the round is stored meanwhile. Default: the temporary folder.
    """
    settings = RenderSettings(shard_size=hands, written_by="workers")
    with TemporaryDirectory(dir=folder) as temporary:
        work_dir = Path(temporary)
        photographs = noise_photographs(work_dir / "backgrounds")
        _write_holes(work_dir / "predictions", hand_model, shards=shards, hands=hands)
        engine = _SimulatedEngine(workers, picture_s, call_s, death_share)
        job = RenderJob(
            predictions_dir=work_dir / "predictions",
            out_dir=work_dir / "synthetic",
            round_index=0,
            run_seed=0,
        )
        with RenderPool(settings, hand_model, photographs.path, engine=engine) as pool:
            pool.start()
            engine.begin()
            started_s = time.process_time()
            report: RenderReport = pool.render_round(job)
            engine.memory.look()
            driver_s = time.process_time() - started_s - engine.memory.measuring_s + engine.calls * call_s
        assert report.rendered == shards * hands, "every picture is there"
        return SimulatedFarm(
            workers=workers,
            shards=shards,
            hands=hands,
            picture_s=picture_s,
            call_s=call_s,
            deaths=report.lost_workers,
            round_s=engine.now_s - engine.began_s,
            busy_share=engine.busy_share(engine.now_s),
            busy_share_before_end=engine.busy_share(engine.last_whole_s),
            driver_s=driver_s,
            memory_before_mb=engine.memory.before_mb,
            memory_peak_mb=engine.memory.peak_mb,
        )


class _SimulatedEngine:
    """A `render_worker.ray_farm.engine.Engine` whose workers only take time.

    A reference is the number of a question; a worker, too, is a number.
    """

    def __init__(self, workers: int, picture_s: float, call_s: float, death_share: float) -> None:
        self._workers, self._picture_s, self._call_s = workers, picture_s, call_s
        self._death_share = death_share
        self._rng = np.random.default_rng(0)
        self._numbers = count()
        self._due: list[tuple[float, int]] = []
        self._answers: dict[int, object] = {}
        self._spans: list[tuple[float, float]] = []
        self._leapt_s = 0.0
        self.calls = 0
        self.began_s = self.last_whole_s = 0.0
        self.memory = MemoryPeak()

    @property
    def now_s(self) -> float:
        """The farm's clock."""
        return self._leapt_s + time.process_time() - self.memory.measuring_s + self.calls * self._call_s

    def begin(self) -> None:
        """Begin to count."""
        self._spans.clear()
        self.calls, self.memory = 0, MemoryPeak()
        self.began_s = self.now_s

    def busy_share(self, until_s: float) -> float:
        """Return how much of the workers' time until some moment they drew."""
        drawn_s = sum(max(0.0, min(end_s, until_s) - start_s) for start_s, end_s in self._spans)
        return drawn_s / (self._workers * (until_s - self.began_s))

    def offered(self) -> Iterable[RenderSlots]:
        """Yield the machines."""
        for first in range(0, self._workers, _SLOTS_A_MACHINE):
            slots = min(_SLOTS_A_MACHINE, self._workers - first)
            name = f"machine-{first // _SLOTS_A_MACHINE:04d}"
            yield RenderSlots(node_id=name, host=name, count=slots, device="cpu", gpu_share=0.0)

    def start(self, slots: RenderSlots) -> int:  # noqa: ARG002
        """Start a worker."""
        return next(self._numbers)

    def state(self, worker: int) -> int:  # noqa: ARG002
        """Have a worker ready after a while."""
        return self._ask(_START_S, WorkerState("none", _DEVICE, this_release()))

    def render(self, worker: int, requests: Sequence[Request[Any]]) -> int:  # noqa: ARG002
        """Have a worker draw, or die over it."""
        took_s = pictures_in(requests) * self._picture_s * self._rng.lognormal(-(_SPREAD**2) / 2, _SPREAD)
        answer: object
        fate = self._rng.random()
        if fate < self._death_share:
            answer = WorkerDiedError("died") if fate < self._death_share / 2 else WorkerLostError("lost")
            took_s *= self._rng.random()
        else:
            answer = Answers([_answer(request) for request in requests], 0, _DEVICE)
        now_s = self.now_s
        self._spans.append((now_s, now_s + took_s))
        if isinstance(requests[0], ManyPictures):
            self.last_whole_s = now_s
        return self._ask(took_s, answer)

    def wait(self, references: Sequence[int], timeout_s: float) -> list[int]:
        """Leap to the next answer, and return all that are there then."""
        asked = set(references)
        if self._due:
            self._leapt_s += min(timeout_s, max(0.0, self._due[0][0] - self.now_s))
        ready = []
        while self._due and self._due[0][0] <= self.now_s:
            reference = heapq.heappop(self._due)[1]
            if reference in asked:
                ready.append(reference)
        return ready

    def result(self, reference: int) -> object:
        """Return an answer."""
        answer = self._answers.pop(reference)
        if isinstance(answer, WorkerDiedError | WorkerLostError):
            raise answer
        if self.calls % 256 == 0:
            self.memory.look()
        return answer

    def kill(self, worker: int) -> None:
        """End a worker, of which nothing is left."""

    def _ask(self, took_s: float, answer: object) -> int:
        self.calls += 1
        reference = next(self._numbers)
        self._answers[reference] = answer
        heapq.heappush(self._due, (self.now_s + took_s, reference))
        return reference


def _answer(request: Request[Any]) -> object:
    """Answer as a worker would that has drawn and written everything."""
    if isinstance(request, WholeShard):
        return WrittenShard(request.provenance, "0" * 64, {}, request.num_pictures)
    entry = SampleEntry(offset=0, size=_PICTURE_BYTES, sha256="0" * 64, members={"jpg": (512, 12_000)})
    return PackedSample(request.sample_id, _PICTURE, entry)


_PICTURE: Final = bytes(_PICTURE_BYTES)


def _write_holes(folder: Path, hand_model: HandModel, *, shards: int, hands: int) -> None:
    """Write prediction shards whose hands are holes in their files: only their heads take room."""
    folder.mkdir()
    verts_m = np.zeros((hands, hand_model.num_verts, 3), np.float32)
    joints_m, cameras = np.zeros((hands, 21, 3), np.float32), np.ones((hands, 3), np.float32)
    for number in tqdm(range(shards), desc="writing predictions", unit=" shards", leave=False, disable=None):
        shard = PredictionShard(
            sample_ids=tuple(f"{number * hands + row:010d}" for row in range(hands)),
            verts_m=verts_m,
            joints_m=joints_m,
            cameras=cameras,
            round_index=0,
            image_px=224,
        )
        content = encode_predictions(shard)
        head = 8 + int.from_bytes(content[:8], "little")
        with (folder / f"shard-{number:06d}.safetensors").open("wb") as file:
            file.write(content[:head])
            file.truncate(len(content))
