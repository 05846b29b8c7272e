"""What a run says about itself: losses, a line per round for people and for programs, TensorBoard."""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import NoReturn

from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from shared.errors import CheckpointError
from shared.storage.files import write_durably
from trainer.run.folder import RunFolder

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RoundRecord:
    """What a finished round was like; one line of metrics.jsonl.

    Attributes:
        round: Counts from 0.
        learning_rate: Of the last step.
        steps: Optimiser steps.
        photos_per_s: Photographs learnt from per second of training, all processes together.
        data_wait_share: Share of that time spent waiting for data.
        losses: Means over the batches of the first process; weighted sums per pass, and each unweighted term.
        scores: Aligned and wrist-relative numbers on the held-out poses.
        rendered: Twins drawn by the render that ended in this round: of its own predictions, or, where
            renders overlap with training, of those of the round before.
        quarantined: Predictions that could not be drawn.
        wall_s: Duration of each stage; together, that of the round. Where renders overlap with training,
            ``render`` is the time that training stood still for them.
        twins: More about that render: ``kept`` twins that were not drawn again and their ``saved_share``,
            ``drift_mean_mm`` and ``drift_max_mm`` where the refresh policy measures them, its duration
            ``render_s``, and of the farm ``workers``, ``lost_workers``, and pictures ``retried``.
        staleness: Twins that the round trained with, by the rounds between the weights that predicted them
            and it; 0 is the paper's.
    """

    round: int
    learning_rate: float
    steps: int
    photos_per_s: float
    data_wait_share: float
    losses: Mapping[str, float]
    scores: Mapping[str, float]
    rendered: int
    quarantined: int
    wall_s: Mapping[str, float]
    twins: Mapping[str, float] = field(default_factory=dict)
    staleness: Mapping[str, int] = field(default_factory=dict)

    @property
    def mean_staleness(self) -> float | None:
        """Mean over the twins that the round trained with, if there were any."""
        total = sum(self.staleness.values())
        return sum(int(age) * count for age, count in self.staleness.items()) / total if total else None

    def to_text(self, *, rounds: int) -> str:
        """Return a plain line to read."""
        passes = ", ".join(
            f"{label} {self.losses[name]:.2f}"
            for label, name in (("photo", "original"), ("twin", "recycled"), ("correlation", "correlation"))
            if name in self.losses
        )
        stages = ", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in self.wall_s.items())
        kept = int(self.twins.get("kept", 0))
        drawn = f" · {self.rendered} twins drawn" if self.rendered or kept else ""
        drawn += f", {kept} kept ({self.twins['saved_share']:.0%} saved)" if kept else ""
        drawn += f", {retried} tried again" if (retried := int(self.twins.get("retried", 0))) else ""
        lost = f", {self.quarantined} quarantined" if self.quarantined else ""
        joints_mm, verts_mm = self.scores["pa_mpjpe_mm"], self.scores["pa_mpvpe_mm"]
        return " · ".join(
            (
                f"round {self.round + 1}/{rounds}",
                f"loss {self.losses['total']:.2f} ({passes})",
                f"held-out PA-MPJPE {joints_mm:.2f} mm, PA-MPVPE {verts_mm:.2f} mm",
                f"{self.photos_per_s:.0f} photos/s, {self.data_wait_share:.0%} waiting for data",
                f"{stages}{drawn}{lost}",
            )
        )


class RunLog:
    """Writes the records of a run; only the first process has one.

    Args:
        run: Where to write.
        rounds: Of the whole run.
        start_step: Optimiser step at which this process begins; later entries of a killed one disappear.
    """

    def __init__(self, run: RunFolder, *, rounds: int, start_step: int) -> None:
        self._run = run
        self._rounds = rounds
        self._board = SummaryWriter(str(run.tensorboard), purge_step=start_step)

    def step(self, step: int, *, loss: float, learning_rate: float) -> None:
        """Note how a step went."""
        self._board.add_scalar("step/loss", loss, step)
        self._board.add_scalar("step/learning_rate", learning_rate, step)

    def round(self, record: RoundRecord, *, step: int) -> None:
        """Note a finished round, once."""
        records = read_records(self._run)
        if any(earlier.round == record.round for earlier in records):
            return
        lines = [json.dumps(asdict(each)) + "\n" for each in (*records, record)]
        write_durably(self._run.metrics, [line.encode() for line in lines])
        for group in ("losses", "scores", "wall_s", "twins"):
            for name, value in getattr(record, group).items():
                self._board.add_scalar(f"{group}/{name}", value, step)
        if record.mean_staleness is not None:
            self._board.add_scalar("twins/mean_staleness", record.mean_staleness, step)
        self._board.flush()
        logger.info(record.to_text(rounds=self._rounds))

    def close(self) -> None:
        """Finish the event file."""
        self._board.close()


def read_records(run: RunFolder) -> list[RoundRecord]:
    """Return the rounds that a run has finished.

    Raises:
        CheckpointError: The file is damaged, or of another release.
    """
    if not run.metrics.exists():
        return []
    try:
        lines = run.metrics.read_text(encoding="utf-8").splitlines()
        return [RoundRecord(**json.loads(line)) for line in lines]
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"{run.metrics}: expected a finished round in every line, found {error}.",
            remedy="Read it with the release that wrote it, or take the damaged line out.",
        ) from error


def photo_bar(description: str, *, total: int, initial: int = 0, visible: bool = True) -> "tqdm[NoReturn]":
    """Return a progress bar that counts photographs; it hides where no terminal watches."""
    return tqdm(
        desc=description,
        total=total,
        initial=initial,
        unit=" photos",
        disable=None if visible else True,
        leave=False,
    )
