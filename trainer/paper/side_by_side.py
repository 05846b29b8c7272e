"""Several runs at once, each in a process of its own: on a GPU each, or on a share of the cores."""

import logging
import os
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

import torch

from trainer.config.run import TrainConfig
from trainer.config.toml import to_toml
from trainer.paper.plan import PlannedRun

logger = logging.getLogger(__name__)

_LAST_WORDS = 3


@dataclass(frozen=True, slots=True)
class EndedRun:
    """How the process of a run ended.

    Attributes:
        run: The run.
        failure: What it said last, if it did not finish.
    """

    run: PlannedRun
    failure: str | None


@dataclass(slots=True)
class SideBySide:
    """Trains runs by the command ``meshcycle train``, so many at a time.

    Attributes:
        workers: Runs at a time.
        ray_address: Of a render farm that all of them share; None has each render on its share of the cores.
    """

    workers: int
    ray_address: str | None
    _processes: list[subprocess.Popen[str]] = field(default_factory=list)
    _is_stopped: bool = False

    def train(self, runs: Sequence[PlannedRun]) -> Iterator[EndedRun]:
        """Yield runs as they end.

        If the caller does not come back for the next one, as after Ctrl-C, all are told to stop. They write a
        checkpoint, and are waited for.
        """
        places: SimpleQueue[int] = SimpleQueue()
        for place in range(self.workers):
            places.put(place)
        with TemporaryDirectory() as folder, ThreadPoolExecutor(self.workers) as threads:
            files = [Path(folder) / f"{number}.toml" for number in range(len(runs))]
            for run, file in zip(runs, files, strict=True):
                file.write_text(to_toml(self._sharing(run.config)), encoding="utf-8")
            ended: list[Future[EndedRun]] = [
                threads.submit(self._train, run, file, places) for run, file in zip(runs, files, strict=True)
            ]
            try:
                for each in as_completed(ended):
                    yield each.result()
            except BaseException:  # also when the caller leaves: this generator is closed then
                self._is_stopped = True
                for process in self._processes:
                    process.terminate()
                raise

    def _sharing(self, config: TrainConfig) -> TrainConfig:
        """Give a run that renders on this machine its share of the cores."""
        if self.ray_address is not None or config.render.workers is not None:
            return config
        share = max(1, _cores() // self.workers)
        return config.model_copy(update={"render": config.render.model_copy(update={"workers": share})})

    def _train(self, run: PlannedRun, file: Path, places: "SimpleQueue[int]") -> EndedRun:
        place = places.get()
        try:
            if self._is_stopped:
                return EndedRun(run, "not begun")
            command = [sys.executable, "-m", "meshcycle", "train", str(file)]
            command += ["--ray-address", self.ray_address] if self.ray_address else []
            last_words: deque[str] = deque(maxlen=_LAST_WORDS)
            with subprocess.Popen(
                command,
                env={**os.environ, **environment_of(place, self.workers)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
            ) as process:
                self._processes.append(process)
                assert process.stderr is not None
                for line in process.stderr:
                    last_words.append(line.strip())
                    logger.info("%s: %s", run, line.rstrip())
            return EndedRun(run, None if process.returncode == 0 else " ".join(last_words))
        finally:
            places.put(place)


def environment_of(place: int, workers: int) -> dict[str, str]:
    """Return what a process is told so that it takes one GPU, or its share of the cores.

    Args:
        place: Of the process, from 0 on.
        workers: How many there are.
    """
    environment = {"OMP_NUM_THREADS": str(max(1, _cores() // workers))}
    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    gpus = visible or [str(number) for number in range(torch.cuda.device_count())]
    if gpus:
        environment["CUDA_VISIBLE_DEVICES"] = gpus[place % len(gpus)]
    return environment


def _cores() -> int:
    return len(os.sched_getaffinity(0))
