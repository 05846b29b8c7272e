"""Measures the driver of the render farm: how fast it plans, hands out and writes shards, and in what memory.

The workers answer at once, with one stored picture, so that nothing but the driver is measured. Its processor
time says more than the wall time, because on one machine the workers take turns with it on the same cores.
"""

import gc
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal, cast

import numpy as np
from tqdm import tqdm

from render_worker.bench.frames import noise_photographs, template_twin, weak_camera
from render_worker.bench.memory import MemoryPeak
from render_worker.drawing_device import DrawingDevice
from render_worker.picture.camera import hand_box
from render_worker.picture.mesh import CappedMesh
from render_worker.picture.request import HandGeometry, HandLayer, RenderRequest
from render_worker.ray_farm.pool import RenderPool
from render_worker.requests import FailedRequest, PoolStats, RenderContext, Request, WorkerState, pictures_in
from render_worker.twins.packed_twin import PackedTwin
from render_worker.twins.round import render_round
from render_worker.twins.whole_shard import WholeShard
from shared.hand_model import HandModel
from shared.seams.renderer import RenderJob, RenderSettings
from shared.twins.predictions import PredictionShard, encode_predictions
from shared.twins.shard_writing import PackedSample

_IMAGE_PX: Final = 224
_MEASURE_EVERY: Final = 512
"""Pictures between two measurements of the memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmBench:
    """What a round without rendering costs its driver.

    Attributes:
        shards: Prediction shards, which are the tasks.
        hands: Pictures in each.
        workers: Processes that answer.
        written_by: Who wrote the shards.
        shard_bytes: Size of one synthetic shard with its index.
        first_picture_s: From the beginning of the round to its first picture, with all planning before it.
        wall_s: Duration of the round.
        driver_s: Processor time that the driver spent on it, on all of its threads.
        again_s: Duration of the same round once more, when every shard is there already.
        memory_before_mb: Of the driver alone, when the workers run and nothing was asked of them.
        memory_peak_mb: The most while the round ran.
        in_flight_peak: Most pictures that were handed out and had not come back.
    """

    shards: int
    hands: int
    workers: int
    written_by: str
    shard_bytes: int
    first_picture_s: float
    wall_s: float
    driver_s: float
    again_s: float
    memory_before_mb: float
    memory_peak_mb: float
    in_flight_peak: int

    @property
    def pictures(self) -> int:
        """Pictures of the round."""
        return self.shards * self.hands

    @property
    def bytes_per_picture(self) -> float:
        """Growth of the driver's memory by picture."""
        return (self.memory_peak_mb - self.memory_before_mb) * 1e6 / self.pictures

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            **asdict(self),
            "shards_per_s": self.shards / self.wall_s,
            "pictures_per_s": self.pictures / self.wall_s,
            "shards_per_driver_s": self.shards / self.driver_s,
            "pictures_per_driver_s": self.pictures / self.driver_s,
            "memory_bytes_per_picture": self.bytes_per_picture,
        }

    def to_text(self) -> str:
        """Return a table for people."""
        rows = {
            "first picture after": f"{self.first_picture_s:.2f} s",
            "round": f"{self.wall_s:.1f} s",
            "  of the driver's processor": f"{self.driver_s:.1f} s",
            "the same round again": f"{self.again_s:.1f} s",
            "shards": f"{self.shards / self.wall_s:.0f} /s",
            "pictures": f"{self.pictures / self.wall_s:.0f} /s",
            "pictures, driver's limit": f"{self.pictures / self.driver_s:.0f} /s",
            "driver's memory before": f"{self.memory_before_mb:.0f} MB",
            "driver's memory, most": f"{self.memory_peak_mb:.0f} MB",
            "  grown by": f"{self.bytes_per_picture:.0f} bytes per picture",
            "pictures in flight, most": f"{self.in_flight_peak}",
            "a shard on the disk": f"{self.shard_bytes / 1e6:.3f} MB",
        }
        title = (
            f"{self.shards} shards of {self.hands} hands, written by the {self.written_by}; "
            f"{self.workers} workers that answer at once"
        )
        return "\n".join([title, *(f"{name:28}{value:>28}" for name, value in rows.items())])


def bench_farm(
    hand_model: HandModel,
    *,
    shards: int = 2000,
    hands: int = 8,
    workers: int = 2,
    written_by: Literal["workers", "driver"] = "workers",
    address: str | None = None,
    folder: Path | None = None,
) -> FarmBench:
    """Run one round whose pictures cost nothing.

    Args:
        hand_model: Whose template is rendered.
        shards: Prediction shards of the round.
        hands: Hands in each.
        workers: Processes that answer.
        written_by: Who writes the shards; the last ones pass through the driver in any case.
        address: Of a running Ray cluster; None starts one on this machine.
        folder: Where the shards go for the time being; some 35 kB a picture. Default: the temporary folder.
    """
    settings = RenderSettings(workers=workers, shard_size=hands, written_by=written_by)
    with TemporaryDirectory(dir=folder) as temporary:
        work_dir = Path(temporary)
        photographs = noise_photographs(work_dir / "backgrounds")
        _write_predictions(work_dir / "predictions", hand_model, shards=shards, hands=hands)
        job = RenderJob(
            predictions_dir=work_dir / "predictions",
            out_dir=work_dir / "synthetic",
            round_index=0,
            run_seed=0,
        )
        with RenderPool(
            settings, hand_model, photographs.path, address=address, start_scene=FlatScene
        ) as pool:
            renderer = _WatchedRenderer(pool)
            renderer.warm_up(32 * workers)
            driver_s, start_s = time.process_time(), time.perf_counter()
            render_round(renderer, job)
            wall_s = time.perf_counter() - start_s
            driver_s = time.process_time() - driver_s - renderer.memory.measuring_s
            renderer.memory.look()
            assert renderer.first_s is not None, "the round has a picture"
            again_s = time.perf_counter()
            render_round(renderer, job)
            again_s = time.perf_counter() - again_s
        return FarmBench(
            shards=shards,
            hands=hands,
            workers=workers,
            written_by=written_by,
            shard_bytes=sum(path.stat().st_size for path in job.out_dir.glob("shard-00000.*")),
            first_picture_s=renderer.first_s - start_s,
            wall_s=wall_s,
            driver_s=driver_s,
            again_s=again_s,
            memory_before_mb=renderer.memory.before_mb,
            memory_peak_mb=renderer.memory.peak_mb,
            in_flight_peak=renderer.in_flight_peak,
        )


class FlatScene:
    """Covers the box of a hand: a `render_worker.picture.request.Scene` without Blender."""

    bpy_version = "none"
    device = DrawingDevice("CPU")

    def __init__(self, mesh: CappedMesh, settings: RenderSettings) -> None:
        pass

    def render(self, request: RenderRequest) -> HandLayer:
        """Return the box, white."""
        box = hand_box(
            request.verts_m, request.camera, width_px=request.width_px, height_px=request.height_px
        )
        return HandLayer(
            np.ones((box.bottom_px - box.top_px, box.right_px - box.left_px, 4), np.float32), box
        )

    def measure(self, request: RenderRequest) -> HandGeometry:
        """Not wanted by anything that is measured here."""
        raise NotImplementedError


_packed: list[PackedSample] = []
"""The one picture of this process."""


@dataclass(frozen=True, slots=True, eq=False)
class InstantTwin:
    """Asks for a twin, and is content with the first one that its worker ever drew, under another name.

    Attributes:
        wanted: What would really be rendered; it travels to the worker in full.
    """

    wanted: PackedTwin

    @property
    def sample_id(self) -> str:
        """Name of the picture."""
        return self.wanted.sample_id

    def render(self, context: RenderContext) -> PackedSample:
        """Return the stored picture; the first call makes it."""
        return draw_instantly(self.wanted, context)


def draw_instantly(wanted: PackedTwin, context: RenderContext) -> PackedSample:
    """Return the one picture of this process, under another name; the first call makes it."""
    if not _packed:
        _packed.append(wanted.render(context))
    return replace(_packed[0], sample_id=wanted.sample_id)


class _WatchedRenderer:
    """A `render_worker.requests.RequestRenderer` that counts pictures and measures the memory."""

    def __init__(self, pool: RenderPool) -> None:
        self._pool = pool
        self.settings, self.hand_model, self.photographs = pool.settings, pool.hand_model, pool.photographs
        self._forget()

    def warm_up(self, pictures: int) -> None:
        """Have some pictures rendered for nothing, and begin to count."""
        twin = template_twin(self.hand_model, 0, _IMAGE_PX)
        for _ in self.render([PackedTwin("", twin)] * pictures):
            pass
        self._forget()

    def _forget(self) -> None:
        gc.collect()
        self.first_s: float | None = None
        self.in_flight_peak = self._asked = self._answered = 0
        self.memory = MemoryPeak()

    @property
    def stats(self) -> PoolStats:
        """How the pool is doing."""
        return self._pool.stats

    def start(self) -> WorkerState:
        """Start the workers."""
        return self._pool.start()

    def render[Picture](
        self, requests: Iterable[Request[Picture]]
    ) -> Iterator[tuple[Request[Picture], Picture | FailedRequest]]:
        """Yield every request with the stored picture."""
        asked = cast("Iterable[Request[Picture]]", map(self._ask, requests))
        for request, answer in self._pool.render(asked):
            self.first_s = self.first_s or time.perf_counter()
            pictures = pictures_in([request])
            self._answered += pictures
            if self._answered // _MEASURE_EVERY > (self._answered - pictures) // _MEASURE_EVERY:
                self.memory.look()
            wanted: object = request
            if isinstance(wanted, InstantTwin):
                wanted = wanted.wanted
            yield cast("Request[Picture]", wanted), answer

    def _ask(self, request: Request[Any]) -> Request[Any]:
        self._asked += pictures_in([request])
        self.in_flight_peak = max(self.in_flight_peak, self._asked - self._answered)
        if isinstance(request, WholeShard):
            return replace(request, draw=draw_instantly)
        return InstantTwin(cast("PackedTwin", request))


def _write_predictions(folder: Path, hand_model: HandModel, *, shards: int, hands: int) -> None:
    """Write prediction shards, without waiting for the disk as a run does."""
    folder.mkdir()
    twins = [template_twin(hand_model, number, _IMAGE_PX) for number in range(hands)]
    seen = [weak_camera(twin) for twin in twins]
    cameras = np.array([(each.scale, each.tx_m, each.ty_m) for each in seen], np.float32)
    verts_m, joints_m = np.stack([t.verts_m for t in twins]), np.stack([t.joints_m for t in twins])
    for number in tqdm(range(shards), desc="writing predictions", unit=" shards", leave=False, disable=None):
        names = tuple(f"{number * hands + row:010d}" for row in range(hands))
        shard = PredictionShard(
            sample_ids=names,
            verts_m=verts_m,
            joints_m=joints_m,
            cameras=cameras,
            round_index=0,
            image_px=_IMAGE_PX,
        )
        (folder / f"shard-{number:05d}.safetensors").write_bytes(encode_predictions(shard))
