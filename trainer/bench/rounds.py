"""Measures whole rounds: what rendering while the next round trains saves, and how near the limit that is.

A round cannot be shorter than the longer of its two halves, training (with evaluation and prediction) and
rendering. Overlapping, its wall time should be hardly more than that.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal

import torch

from shared.errors import ConfigError
from trainer.config.recycling import AllRefresh
from trainer.config.run import TrainConfig
from trainer.run.records import RoundRecord
from trainer.training.loop import RendererFor, train

type Mode = Literal["alternate", "overlap"]

FEWEST_ROUNDS: Final = 4
_FIRST_STEADY: Final = 2
"""The first round, counted from 0, that in either mode trains with twins while renders are due."""


@dataclass(frozen=True, slots=True)
class RoundTimes:
    """Medians over the steady rounds of one mode: those that train with twins and have twins drawn.

    Attributes:
        wall_s: The whole round.
        train_s: All of it but the time that training stood still for renders.
        render_s: The render that ended in it.
    """

    wall_s: float
    train_s: float
    render_s: float

    @classmethod
    def of(cls, records: Sequence[RoundRecord]) -> "RoundTimes":
        """Take the medians of the steady rounds among all rounds of a run."""
        steady = records[_FIRST_STEADY:-1]
        walls_s = [sum(record.wall_s.values()) for record in steady]
        return cls(
            wall_s=median(walls_s),
            train_s=median(
                wall_s - record.wall_s.get("render", 0.0)
                for wall_s, record in zip(walls_s, steady, strict=True)
            ),
            render_s=median(record.twins["render_s"] for record in steady),
        )

    @property
    def longer_s(self) -> float:
        """The longer of the two halves, which is the least that a round can take."""
        return max(self.train_s, self.render_s)


@dataclass(frozen=True, slots=True)
class RoundsBench:
    """The same run in both modes.

    Attributes:
        photographs: Of a round, trained with twice: as they are and as twins.
        rounds: Rounds of each run.
        alternate: Renders between the rounds, as in the paper.
        overlap: Renders while the next round trains.
    """

    photographs: int
    rounds: int
    alternate: RoundTimes
    overlap: RoundTimes

    @property
    def over_own_limit(self) -> float:
        """Wall time of an overlapping round by the longer of its own halves."""
        return self.overlap.wall_s / self.overlap.longer_s

    @property
    def over_undisturbed_limit(self) -> float:
        """The same by the longer half where nothing runs beside it; more if both share memory or cores."""
        return self.overlap.wall_s / self.alternate.longer_s

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        ratios = {
            "over_own_limit": self.over_own_limit,
            "over_undisturbed_limit": self.over_undisturbed_limit,
            "over_alternate": self.overlap.wall_s / self.alternate.wall_s,
        }
        return {**asdict(self), **ratios}

    def to_text(self) -> str:
        """Return a table for people."""
        lines = [
            f"{self.rounds} rounds of {self.photographs} photographs; seconds, medians of the steady rounds",
            f"{'':12}{'round':>9}{'training':>11}{'rendering':>11}{'round / longer half':>22}",
        ]
        for name, times in (("alternate", self.alternate), ("overlap", self.overlap)):
            lines.append(
                f"{name:12}{times.wall_s:9.2f}{times.train_s:11.2f}{times.render_s:11.2f}"
                f"{times.wall_s / times.longer_s:22.2f}"
            )
        lines.append(
            f"An overlapping round takes {self.overlap.wall_s / self.alternate.wall_s:.2f} of an alternating "
            f"one, and {self.over_undisturbed_limit:.2f} of the longer half of that."
        )
        return "\n".join(lines)


def bench_rounds(
    config: TrainConfig,
    *,
    renderer_for: RendererFor,
    rounds: int = 6,
    max_samples: int | None = None,
    workers: int | None = None,
) -> RoundsBench:
    """Train a configuration for a few rounds in both modes, in folders that are deleted afterwards.

    Args:
        config: With [recycle]; warm-up takes one round here, and every twin is drawn in every round.
        renderer_for: Opens what draws the twins of a run.
        rounds: Rounds of each run.
        max_samples: Train on this many photographs only.
        workers: Render with this many processes, and train in this process with the cores that are left.

    Raises:
        ConfigError: The configuration does not recycle predictions, or the rounds are too few.
        MeshcycleError: Whatever training meets with.
    """
    if config.recycle is None or config.recycle.source != "prediction":
        raise ConfigError("bench round: expected a configuration that recycles predictions, found none.")
    if rounds < FEWEST_ROUNDS:
        raise ConfigError(f"bench round: expected at least {FEWEST_ROUNDS} rounds, found {rounds}.")
    data, render = config.data, config.render
    if max_samples is not None:
        data = data.model_copy(update={"max_samples": max_samples})
    if workers is not None:
        data = data.model_copy(update={"workers": 0})
        render = render.model_copy(update={"workers": workers})
    times: dict[Mode, RoundTimes] = {}
    photographs = 0
    with _cores_left_by(workers or 0):
        for mode in ("alternate", "overlap"):
            with TemporaryDirectory(prefix="meshcycle-bench-") as folder:
                paper = {"mode": mode, "warmup_rounds": 1, "refresh": AllRefresh()}
                recycle = config.recycle.model_copy(update=paper)
                changes = {"recycle": recycle, "data": data, "render": render, "rounds": rounds}
                run = TrainConfig(
                    **(dict(config) | changes | {"run_dir": Path(folder) / "run", "mirror": None})
                )
                with renderer_for(run) as renderer:
                    records = train(run, renderer=renderer, resume=False).records
            times[mode] = RoundTimes.of(records)
            photographs = records[_FIRST_STEADY].rendered
    return RoundsBench(photographs, rounds, alternate=times["alternate"], overlap=times["overlap"])


@contextmanager
def _cores_left_by(workers: int) -> Iterator[None]:
    """Train with the cores that so many render workers leave; with 0, which is nobody's number, with all."""
    threads = torch.get_num_threads()
    if workers:
        torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) - workers))
    try:
        yield
    finally:
        torch.set_num_threads(threads)
