"""What an ablation keeps about a finished run: the scores of its best checkpoint on every evaluation set.

They are stored in the run's folder, in ``scores.json`` and, hand by hand, in ``hands-NAME.csv``. They are
used again until the checkpoint or the evaluation set changes.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from pydantic import Field, TypeAdapter

from shared.errors import ConfigError
from shared.freihand import FreiHandSplit
from shared.hand_model.model import Fingertips
from shared.records import Section
from shared.storage.files import write_durably
from trainer.evaluation.evaluate import evaluate_checkpoint
from trainer.paper.plan import EvaluationSet, PlannedRun
from trainer.run.checkpoint import CheckpointId
from trainer.run.folder import RunFolder
from trainer.run.records import read_records
from trainer.run.trained import load_trained

SCORES = "scores.json"


class SetScores(Section):
    """Scores of one checkpoint on one evaluation set."""

    checkpoint: str
    """Name of the checkpoint."""
    fingerprint: str
    """Of the evaluation set."""
    num_hands: int
    """Hands that were scored."""
    scores: dict[str, float]
    """Means over the hands; the names are those of `trainer.evaluation.metrics.Scores`."""
    pa_mpjpe_mm_by_fingertips: dict[Fingertips, float] = Field(default_factory=dict)
    """PA-MPJPE for each definition of MANO's fingertips; empty for a hand with joints of its own."""
    warning: str | None
    """What a reader of the numbers has to know."""


_STORED = TypeAdapter(dict[str, SetScores])


@dataclass(frozen=True, slots=True)
class EvaluationData:
    """An evaluation set whose folder is there.

    Attributes:
        split: Its photographs.
        fingerprint: Changes with its content.
    """

    split: FreiHandSplit
    fingerprint: str

    @classmethod
    def open(cls, described: EvaluationSet) -> Self:
        """Open a set.

        Raises:
            DatasetError: It is not there.
        """
        split = FreiHandSplit(described.root, described.split)
        return cls(split, _fingerprint(split))


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run that has done all of its rounds.

    Attributes:
        run: As it was planned.
        steps: Optimiser steps in all.
        wall_s: Duration of all its stages.
        best_round: Round of its best checkpoint, counted from 0.
        scores: Of that checkpoint by evaluation set, as far as they are known.
        recycled_since: First round that trained with twins; None without any.
    """

    run: PlannedRun
    steps: int
    wall_s: float
    best_round: int
    scores: Mapping[str, SetScores]
    recycled_since: int | None = None

    @property
    def warning(self) -> str | None:
        """What a reader has to know about the best round."""
        if self.recycled_since is None or self.best_round >= self.recycled_since:
            return None
        return (
            f"{self.run}: the best round, {self.best_round + 1}, came before recycling, which began in round "
            f"{self.recycled_since + 1}; its scores are those of photographs alone."
        )

    @property
    def checkpoint(self) -> Path:
        """Folder of the best checkpoint."""
        return RunFolder(self.run.config.run_dir).checkpoints / CheckpointId(self.best_round).name


def read_run(run: PlannedRun) -> FinishedRun | None:
    """Return what is known about a run, or None if it has not finished.

    Raises:
        ConfigError: It went on for longer than planned, so that it cannot be compared.
    """
    records = read_records(RunFolder(run.config.run_dir))
    if len(records) < run.config.rounds:
        return None
    if len(records) > run.config.rounds:
        raise ConfigError(
            (
                f"{run.config.run_dir}: expected {run.config.rounds} rounds as in the other variants, "
                f"found {len(records)}."
            ),
            remedy="Delete the folder, or plan as many rounds.",
        )
    best_round = min(records, key=lambda record: record.scores["pa_mpjpe_mm"]).round
    path = run.config.run_dir / SCORES
    stored = _STORED.validate_json(path.read_bytes()) if path.exists() else {}
    checkpoint = CheckpointId(best_round).name
    return FinishedRun(
        run=run,
        steps=sum(record.steps for record in records),
        wall_s=sum(sum(record.wall_s.values()) for record in records),
        best_round=best_round,
        scores={name: scores for name, scores in stored.items() if scores.checkpoint == checkpoint},
        recycled_since=next((record.round for record in records if "recycled" in record.losses), None),
    )


def score_run(finished: FinishedRun, sets: Mapping[str, EvaluationData]) -> FinishedRun:
    """Score the best checkpoint of a run on the sets whose scores are not known, and keep the scores.

    Returns:
        The run with the scores on all sets.

    Raises:
        CheckpointError: The checkpoint has been deleted.
    """
    known = dict(finished.scores)
    missing = [
        name
        for name, each in sets.items()
        if name not in known or known[name].fingerprint != each.fingerprint
    ]
    if not missing:
        return finished
    config = finished.run.config
    trained = load_trained(finished.checkpoint, device=config.compute.accelerator)
    for name in missing:
        report = evaluate_checkpoint(trained, sets[name].split, workers=config.data.workers).report
        assert report is not None, "the labels of all sets are checked before the first run"
        per_hand = config.run_dir / f"hands-{name}.csv"
        per_hand.unlink(missing_ok=True)  # a run's folder is ours, also where it was moved or copied to
        report.write_csv(per_hand)
        known[name] = SetScores(
            checkpoint=finished.checkpoint.name,
            fingerprint=sets[name].fingerprint,
            **{key: value for key, value in report.to_json().items() if key in SetScores.model_fields},
        )
    write_durably(config.run_dir / SCORES, [_STORED.dump_json(known, indent=1)])
    return replace(finished, scores=known)


def forget_scores(run: PlannedRun) -> None:
    """Delete the scores of a run that is about to change."""
    (run.config.run_dir / SCORES).unlink(missing_ok=True)


def _fingerprint(split: FreiHandSplit) -> str:
    """Hash the names and sizes of all files of a split: quick, and the same after copying."""
    paths = [*split.root.glob(f"{split.split}_*.json"), *(split.root / split.split / "rgb").iterdir()]
    sizes = {path.name: path.stat().st_size for path in paths}
    return hashlib.sha256(json.dumps(sizes, sort_keys=True).encode()).hexdigest()
