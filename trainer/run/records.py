"""The finished rounds of a run: a line of metrics.jsonl each, and all of them as a table to read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Final

from pydantic import AfterValidator, StringConstraints, TypeAdapter

from shared.archives import in_one_line
from shared.errors import CheckpointError
from shared.text_table import text_table
from trainer.run.folder import RunFolder
from trainer.run.source_scores import scores_by_source

_HEADER = (
    "round",
    "loss",
    "PA-MPJPE mm",
    "PA-MPVPE mm",
    "F@15",
    "twins drawn",
    "saved",
    "staleness",
    "train s",
    "render s",
    "round s",
)


def _with(*names: str) -> Callable[[Mapping[str, float]], Mapping[str, float]]:
    """Return what refuses numbers without these."""

    def check(numbers: Mapping[str, float]) -> Mapping[str, float]:
        if missing := [name for name in names if name not in numbers]:
            raise ValueError(f"no {missing[0]}")
        return numbers

    return check


type Rounds = Annotated[str, StringConstraints(pattern=r"\A[0-9]{1,9}\z")]
"""A number of rounds, as JSON has it for a key."""


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
        scores: Aligned and wrist-relative numbers on the held-out poses. Where the run has several sources,
            means weighted with their shares, and then those of each, as ``realhands/pa_mpjpe_mm``.
        rendered: Twins drawn by the render that ended in this round: of its own predictions, or, where
            renders overlap with training, of those of the round before.
        quarantined: Predictions that could not be drawn.
        wall_s: Duration of each stage; together, that of the round. Where renders overlap with training,
            ``render`` is the time that training stood still for them.
        twins: More about that render: ``kept`` twins that were not drawn again and their ``saved_share``,
            ``refresh_distance_mean_mm`` and ``refresh_distance_max_mm`` where the refresh policy measures
            them, its duration ``render_s``, and of the farm ``workers``, ``lost_workers``, and pictures
            ``retried``.
        staleness: Twins that the round trained with, by the rounds between the weights that predicted them
            and it; 0 is the paper's.
    """

    round: int
    learning_rate: float
    steps: int
    photos_per_s: float
    data_wait_share: float
    losses: Annotated[Mapping[str, float], AfterValidator(_with("total"))]
    scores: Annotated[Mapping[str, float], AfterValidator(_with("pa_mpjpe_mm", "pa_mpvpe_mm", "pa_f15"))]
    rendered: int
    quarantined: int
    wall_s: Mapping[str, float]
    twins: Mapping[str, float] = field(default_factory=dict)
    staleness: Mapping[Rounds, int] = field(default_factory=dict)

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
        by_source = scores_by_source(self.scores, "pa_mpjpe_mm")
        sources = ", ".join(f"{name} {value:.2f}" for name, value in by_source.items())
        of_each = f" ({sources})" if sources else ""
        recycled = scores_by_source(self.scores, "recycled_pa_mpjpe_mm")
        without = "".join(f", recycled {name} {value:.2f} mm" for name, value in recycled.items())
        return " · ".join(
            (
                f"round {self.round + 1}/{rounds}",
                f"loss {self.losses['total']:.2f} ({passes})",
                f"held-out PA-MPJPE {joints_mm:.2f} mm{of_each}, PA-MPVPE {verts_mm:.2f} mm{without}",
                f"{self.photos_per_s:.0f} photos/s, {self.data_wait_share:.0%} waiting for data",
                f"{stages}{drawn}{lost}",
            )
        )


_RECORD: Final = TypeAdapter(RoundRecord)


def read_records(run: RunFolder) -> list[RoundRecord]:
    """Return the rounds that a run has finished.

    Raises:
        CheckpointError: The file is damaged, or of another release.
    """
    if not run.metrics.exists():
        return []
    try:
        lines = run.metrics.read_text(encoding="utf-8").splitlines()
        return [_RECORD.validate_json(line) for line in lines]
    except ValueError as error:
        raise CheckpointError(
            f"{run.metrics}: expected a finished round in every line, found {in_one_line(error)}.",
            remedy="Read it with the release that wrote it, or take the damaged line out.",
        ) from error


def round_table(records: Sequence[RoundRecord]) -> str:
    """Return one line per round; errors are those on the held-out poses, after alignment.

    ``saved`` is the share of the twins that were kept instead of drawn again, ``staleness`` the mean of those
    that the round trained with. Where renders overlap with training, a round is shorter than its parts.
    """
    rows = [_HEADER, *(_cells(record) for record in records)]
    return "\n".join(text_table(rows))


def _cells(record: RoundRecord) -> tuple[str, ...]:
    render_s = record.twins.get("render_s", record.wall_s.get("render"))
    staleness = record.mean_staleness
    has_twins = bool(record.rendered or record.twins)
    return (
        str(record.round + 1),
        f"{record.losses['total']:.2f}",
        f"{record.scores['pa_mpjpe_mm']:.2f}",
        f"{record.scores['pa_mpvpe_mm']:.2f}",
        f"{record.scores['pa_f15']:.3f}",
        str(record.rendered) if has_twins else "-",
        f"{record.twins['saved_share']:.0%}" if record.twins.get("kept") else "-",
        "-" if staleness is None else f"{staleness:.1f}",
        f"{record.wall_s.get('train', 0):.0f}",
        "-" if render_s is None else f"{render_s:.0f}",
        f"{sum(record.wall_s.values()):.0f}",
    )
