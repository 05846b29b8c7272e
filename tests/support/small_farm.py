"""A render farm on this machine's loopback interface, and a Blender that fails as planned."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import ray

from render_worker.drawing_device import DrawingDevice
from render_worker.picture.mesh import CappedMesh
from render_worker.picture.request import HandGeometry, HandLayer, RenderRequest, Scene
from render_worker.ray_farm.pool import RenderPool
from render_worker.worker import start_blender
from shared.seams.renderer import RenderJob, RenderSettings
from shared.seeds import seed_of
from shared.twins.predictions import PredictionShard, write_predictions
from tests.support import small_scene
from tests.support.repository import ROOT
from tests.support.small_scene import open_hand
from trainer.hands.sampled import labelled_hand

PATIENCE_S = 90.0
IMAGE_PX = 64
ROUND_INDEX = 2
RUN_SEED = 7
HANDS_PER_SHARD = 8
ALWAYS = 999


def carry_to_workers() -> None:
    """Send the classes of these modules along: workers cannot import modules of tests."""
    for module in (small_scene, sys.modules[__name__]):
        ray.cloudpickle.register_pickle_by_value(module)  # type: ignore[no-untyped-call]


def write_hands(folder: Path, *, num_shards: int) -> Path:
    """Write prediction shards of eight hands each, all of them visible."""
    num_hands = num_shards * HANDS_PER_SHARD
    hands = [labelled_hand(open_hand(), seed=0, index=index) for index in range(num_hands)]
    verts_m = np.stack([hand.verts_m - hand.verts_m.mean(axis=0) for hand in hands])
    for first in range(0, num_hands, HANDS_PER_SHARD):
        part = slice(first, first + HANDS_PER_SHARD)
        shard = PredictionShard(
            sample_ids=tuple(f"{index:08d}" for index in range(num_hands))[part],
            verts_m=verts_m[part],
            joints_m=verts_m[part, :21],
            cameras=np.tile(np.array([8, 0, 0], np.float32), (HANDS_PER_SHARD, 1)),
            round_index=ROUND_INDEX,
            image_px=IMAGE_PX,
        )
        write_predictions(folder / f"shard-{first // HANDS_PER_SHARD:05d}.safetensors", shard)
    return folder


@dataclass(frozen=True)
class FaultPlan:
    """Faults of Blender, planned in a folder that every worker can see.

    Attributes:
        folder: One file per hand, named after the seed of its noise: the fault, and how often it strikes.
    """

    folder: Path

    def inject(self, sample_id: str, what: str, *, times: int) -> None:
        """Plan a fault for when a hand is rendered: SIGKILL, SIGSEGV, hang, pause, or lose-machine."""
        self._path(seed_of(RUN_SEED, "round", ROUND_INDEX, sample_id)).write_text(f"{what} {times}")

    def clear(self) -> None:
        """Forget all faults; paused workers resume."""
        for path in self.folder.iterdir():
            path.unlink()

    @property
    def num_struck(self) -> int:
        """Number of faults that have struck."""
        return sum(path.read_text().split()[1] != str(ALWAYS) for path in self.folder.iterdir())

    def strike(self, noise_seed: int) -> None:
        """Let what is planned for this hand happen."""
        path = self.folder / str(noise_seed)
        if not path.exists():
            return
        what, times = path.read_text().split()
        if times == "0":
            return
        path.write_text(f"{what} {int(times) - 1}")
        match what:
            case "hang":
                ctypes.PyDLL(None).sleep(1000)  # keeps Python's lock, as Blender's code may
            case "pause":
                while path.exists():
                    time.sleep(0.05)
            case "lose-machine":
                os.kill(os.getppid(), signal.SIGKILL)  # the raylet
                os.kill(os.getpid(), signal.SIGKILL)
            case _:
                os.kill(os.getpid(), signal.Signals[what])

    def _path(self, seed: int) -> Path:
        return self.folder / str(seed_of(seed, "noise"))


@dataclass(frozen=True)
class FaultyBlender:
    """Blender with planned faults: a `render_worker.picture.request.Scene`."""

    blender: Scene
    faults: FaultPlan

    @property
    def bpy_version(self) -> str:
        return self.blender.bpy_version

    @property
    def device(self) -> DrawingDevice:
        return self.blender.device

    def render(self, request: RenderRequest) -> HandLayer:
        self.faults.strike(request.seed)
        return self.blender.render(request)

    def measure(self, request: RenderRequest) -> HandGeometry:
        return self.blender.measure(request)


def start_faulty(mesh: CappedMesh, settings: RenderSettings, *, faults: FaultPlan) -> FaultyBlender:
    """Start Blender with planned faults."""
    return FaultyBlender(start_blender(mesh, settings), faults)


def faulty_pool(
    settings: RenderSettings, backgrounds: Path, faults: FaultPlan, *, address: str
) -> RenderPool:
    """Return a pool whose Blenders fail as planned."""
    scene = partial(start_faulty, faults=faults)
    return RenderPool(settings, open_hand(), backgrounds, address=address, start_scene=scene)


@dataclass
class Member:
    """A running ``meshcycle render-workers``.

    Attributes:
        process: The command.
        log: What it says.
    """

    process: "subprocess.Popen[bytes]"
    log: Path

    @classmethod
    def start(cls, log: Path, *options: str, **environment: str) -> Self:
        """Run the command with these options."""
        command = [sys.executable, "-m", "cli", "render-workers", *options]
        with log.open("wb") as file:
            process = subprocess.Popen(
                command,
                stdout=file,
                stderr=file,
                env={**os.environ, **environment},
                cwd=ROOT,
            )
        return cls(process, log)

    def wait_for(self, words: str, *, times: int = 1) -> None:
        """Wait until it has said something."""
        give_up_s = time.monotonic() + PATIENCE_S
        while self.log.read_text().count(words) < times:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < give_up_s, f"expected {words!r} in:\n{self.log.read_text()}"
            time.sleep(0.1)

    def leave(self) -> int:
        """Ask it to leave, and return its exit code."""
        self.process.terminate()
        return self.process.wait(PATIENCE_S)


@dataclass
class Farm:
    """A head without slots, and members that join it.

    Attributes:
        address: Of the head.
        folder: For logs.
        options_of_all: Options that every member takes.
        members: All of them by name, the head among them.
    """

    address: str
    folder: Path
    options_of_all: tuple[str, ...] = ()
    members: dict[str, Member] = field(default_factory=dict)

    def join(self, name: str, *, workers: int = 1) -> Member:
        """Start a member and return it; it joins a little later."""
        log = self.folder / f"{name}.log"
        options = ("--address", self.address, "--workers", str(workers), *self.options_of_all)
        member = Member.start(log, *options)
        self.members[name] = member
        return member

    def close(self) -> None:
        """Let all members leave, the head last."""
        for member in reversed(self.members.values()):
            if member.process.poll() is None:
                member.process.terminate()
        for member in self.members.values():
            member.process.wait(PATIENCE_S)


def start_head(folder: Path, *options_of_all: str, port: int) -> Farm:
    """Start the head of a farm, and wait until it answers."""
    farm = Farm(f"127.0.0.1:{port}", folder, options_of_all)
    options = ("--head", "--port", str(port), "--workers", "0", "--no-dashboard", "--json", *options_of_all)
    farm.members["head"] = Member.start(folder / "head.log", *options)
    farm.members["head"].wait_for("Head of a render farm")
    return farm


def render_with_faults(address: str, predictions: str, out: str, backgrounds: str, faults: str) -> None:
    """Be a driver: render the round, in a process that can be killed."""
    carry_to_workers()
    settings = RenderSettings(samples=4, timeout_s=PATIENCE_S)
    with faulty_pool(settings, Path(backgrounds), FaultPlan(Path(faults)), address=address) as pool:
        pool.render_round(job_of(Path(predictions), Path(out)))


def job_of(predictions: Path, out: Path) -> RenderJob:
    """Return the job of rendering these predictions."""
    return RenderJob(
        predictions_dir=predictions,
        out_dir=out,
        round_index=ROUND_INDEX,
        run_seed=RUN_SEED,
        checkpoint_sha256="weights",
        config_sha256="config",
    )
