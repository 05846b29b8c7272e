"""What a run says when it begins: what learns from what, where, and how long that will take."""

import time
from collections.abc import Sequence
from statistics import fmean
from typing import Final

import torch

from trainer.config.run import TrainConfig
from trainer.data.sources import Source
from trainer.recycle.schedule import TwinSchedule
from trainer.run.records import RoundRecord

_KNOWN: Final = {
    "mesh": "",
    "joints": " labelled with joints",
    "keypoints": " labelled with keypoints",
    "none": " without labels",
}
_WARM_UP_STEPS: Final = 2
_TIMED_STEPS: Final = 10
_TIMED_ROUNDS: Final = 2


def describe_start(
    config: TrainConfig,
    *,
    device: torch.device,
    processes: int,
    num_parameters: int,
    sources: Sequence[Source],
    steps_per_round: int,
) -> str:
    """Return some lines for people.

    Args:
        config: Of the run.
        device: Of the first process.
        processes: That train together.
        num_parameters: Of the network.
        sources: What is learnt from.
        steps_per_round: Optimiser steps in a round.
    """
    name = (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"CPU, {torch.get_num_threads()} threads"
    )
    several = f", {processes} processes" if processes > 1 else ""
    return "\n".join(
        (
            f"network   {config.model.name}, {num_parameters / 1e6:.1f} million parameters",
            f"device    {name}{several}, {config.compute.precision}",
            *(f"data      {_photographs(source, is_alone=len(sources) == 1)}" for source in sources),
            f"twins     {_twins(config, sources)}",
            f"rounds    {config.rounds} of {steps_per_round:,} steps",
            f"folder    {config.run_dir}",
        )
    )


def _photographs(source: Source, *, is_alone: bool) -> str:
    share = "" if is_alone else f", {source.share:.0%} of an epoch"
    photographs = f"photographs{_KNOWN[source.split.labels]}"
    counts = f"{len(source.training):,} {photographs} and {len(source.held_out):,} held out"
    return f"{counts}, of {source.split.root}{share}"


def _twins(config: TrainConfig, sources: Sequence[Source]) -> str:
    recycle = config.recycle
    if recycle is None:
        return "none: the configuration has no table recycle"
    num_twins = recycle.twins_per_photograph * sum(len(source.drawn) for source in sources)
    if recycle.source == "ground_truth":
        return f"{num_twins:,}, drawn once from the labels, on {recycle.backgrounds}"
    schedule = TwinSchedule(recycle, config.rounds, good_since=lambda: 0)
    first = next(number for number in range(config.rounds) if schedule.twins_of(number) is not None)
    when = f"from round {first + 1} on"
    if recycle.start_below_mm is not None:
        when += f", once the held-out error is below {recycle.start_below_mm:g} mm"
    drawn = {"all": "all drawn in every round", "fraction": "a share drawn in every round"}
    how = drawn.get(recycle.refresh.policy, "those drawn again whose hand has moved")
    if recycle.samples == "hard":
        how = "drawn in every round, more of the photographs whose twins are seen worst"
    return f"{num_twins:,} {when}, {how}, on {recycle.backgrounds}"


class Pace:
    """Times the first steps of a process, to say early how long training takes."""

    def __init__(self) -> None:
        self._num_steps = 0
        self._began_s = 0.0

    def after_step(self, *, left_in_round: int, left_later: int, rounds_left: int) -> str | None:
        """Count a step; return what there is to say, once.

        Args:
            left_in_round: Steps that this round still takes.
            left_later: Steps of the rounds after it.
            rounds_left: This round, and those after it.
        """
        self._num_steps += 1
        if self._num_steps == _WARM_UP_STEPS:
            self._began_s = time.perf_counter()
        if self._num_steps != _WARM_UP_STEPS + _TIMED_STEPS:
            return None
        step_s = (time.perf_counter() - self._began_s) / _TIMED_STEPS
        here = f"Training this round takes about {in_words(step_s * left_in_round)} more"
        whole = in_words(step_s * (left_in_round + left_later))
        return (
            f"{here}; all {rounds_left} rounds that are left about {whole}, without evaluating and rendering."
        )


def time_left(records: Sequence[RoundRecord], rounds: int) -> str | None:
    """Estimate from the last rounds how long the others take; None if none are left."""
    left = rounds - len(records)
    if left <= 0 or not records:
        return None
    round_s = fmean(sum(record.wall_s.values()) for record in records[-_TIMED_ROUNDS:])
    return f"About {in_words(round_s * left)} left for {left} more round{'s' if left > 1 else ''}."


def in_words(seconds: float) -> str:
    """Return a duration as people say it, with its two largest units."""
    for size, unit, smaller_size, smaller in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if seconds >= size:
            whole, rest = divmod(round(seconds / smaller_size), size // smaller_size)
            return f"{whole} {unit} {rest} {smaller}"
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
