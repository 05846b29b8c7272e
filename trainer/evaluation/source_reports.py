"""The evaluation of a run that learnt from several sources: a report of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.freihand import SplitName
from trainer.data.sources import open_split
from trainer.evaluation.evaluate import evaluate_checkpoint
from trainer.evaluation.report import EvaluationReport, PredictionsWithoutLabels
from trainer.run.trained import TrainedHand


@dataclass(frozen=True, slots=True)
class SourceReports:
    """Scores of one network on its sources.

    Attributes:
        reports: By the name of the source.
        without_split: Sources that do not have the split.
        split: Which one was scored.
        without_meshes: Sources whose labels are no meshes, or that have none.
    """

    reports: Mapping[str, EvaluationReport | PredictionsWithoutLabels]
    without_split: tuple[str, ...]
    split: SplitName
    without_meshes: tuple[str, ...] = ()

    def to_text(self) -> str:
        """Return a table for each source, and what was left out."""
        blocks = [f"{name}: {each.to_text()}" for name, each in self.reports.items()]
        blocks += [f"{name}: there is no {self.split} split." for name in self.without_split]
        blocks += [
            f"{name}: there are no meshes to score; metrics.jsonl has what can be measured, round by round."
            for name in self.without_meshes
        ]
        return "\n\n".join(blocks)

    def to_json(self) -> dict[str, Any]:
        """Return everything but the single hands, ready for `json.dumps`; None for what was left out."""
        scored: dict[str, Any] = {name: each.to_json() for name, each in self.reports.items()}
        return {"sources": scored | dict.fromkeys((*self.without_split, *self.without_meshes))}


def evaluate_sources(
    trained: TrainedHand, split: SplitName, *, tta: bool = False, max_workers: int = 0
) -> SourceReports:
    """Score a network on each of its sources that has the split, and meshes.

    Args:
        trained: The network.
        split: Which photographs of the sources.
        tta: Predict rotated and scaled crops too, 95 times the work.
        max_workers: Data-loading processes; small splits do without.

    Raises:
        DatasetError: A folder is missing, or no source has the split.
        CheckpointError: A predicted number is not finite.
    """
    data = trained.config.data
    wanted = [source for source in data.all_sources if source.labels == "mesh"]
    present = [each for each in wanted if (each.root / split / "rgb").is_dir() or not each.root.is_dir()]
    reports: dict[str, EvaluationReport | PredictionsWithoutLabels] = {}
    for source in present or wanted:
        photographs = open_split(source, data, split=split)
        workers = workers_for(len(photographs), max_workers)
        evaluation = evaluate_checkpoint(trained, photographs, tta=tta, workers=workers)
        reports[source.called] = evaluation.report or PredictionsWithoutLabels(source.root, len(photographs))
    left_out = tuple(source.called for source in wanted if source not in present)
    without_meshes = tuple(source.called for source in data.all_sources if source.labels != "mesh")
    return SourceReports(reports, left_out, split, without_meshes)


def workers_for(num_photographs: int, max_workers: int) -> int:
    """Return how many data-loading processes pay: they take seconds to start."""
    return min(max_workers, num_photographs // 500)
