"""The outcome of an ablation in the form of the paper's Table 2, as Markdown and as JSON."""

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from shared.hand_model.model import MANO_FINGERTIPS
from shared.text_table import markdown_table
from trainer.paper.plan import VARIANT_LABELS, AblationConfig, VariantName, planned_runs
from trainer.paper.published import PublishedScores, published_scores
from trainer.paper.scores import FinishedRun, read_run

NOT_YET = "not yet"

COLUMNS: dict[str, tuple[str, str]] = {
    "pa_mpjpe_mm": ("PA-MPJPE", ".2f"),
    "pa_mpvpe_mm": ("PA-MPVPE", ".2f"),
    "pa_f5": ("F@5", ".3f"),
    "pa_f15": ("F@15", ".3f"),
}
"""Title and format of the numbers that the text shows; errors are in millimetres."""


METROS_TIPS = "PA-MPJPE, METRO's tips"
TIPS_NOTE = (
    "PA-MPJPE has FreiHAND's own fingertips (vertices {default}); METRO, Mesh Graphormer and FastMETRO have "
    "others ({legacy}), which alone changes it by half a millimetre: the last column of a published set. "
    "The paper does not say which it has; it builds on FastMETRO."
).format(**{name: ", ".join(map(str, vertices)) for name, vertices in MANO_FINGERTIPS.items()})


@dataclass(frozen=True, slots=True)
class Spread:
    """A number over the seeds of a row.

    Attributes:
        values: One per finished run, at least one.
    """

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Their mean."""
        return statistics.fmean(self.values)

    @property
    def sd(self) -> float | None:
        """Their sample standard deviation; one value has none."""
        return statistics.stdev(self.values) if len(self.values) > 1 else None

    def to_text(self, form: str) -> str:
        """Return ``mean ± sd``."""
        return f"{self.mean:{form}}" + (f" ± {self.sd:{form}}" if self.sd is not None else "")


@dataclass(frozen=True, slots=True)
class AblationRow:
    """One variant of one model.

    Attributes:
        model: Name of the network.
        variant: What it learnt from.
        runs: Those that have finished, one per seed.
        published: The paper's numbers for this row.
    """

    model: str
    variant: VariantName
    runs: tuple[FinishedRun, ...]
    published: PublishedScores | None

    def spread(self, name: str, metric: str) -> Spread | None:
        """Return a number on an evaluation set over the seeds that have it, if any."""
        return _spread_of([run.scores[name].scores[metric] for run in self.runs if name in run.scores])

    def spread_with_metros_tips(self, name: str) -> Spread | None:
        """Return PA-MPJPE on an evaluation set with the fingertips of METRO and FastMETRO, if it is known."""
        known = [run.scores[name].pa_mpjpe_mm_by_fingertips for run in self.runs if name in run.scores]
        return _spread_of([by_tips["legacy"] for by_tips in known if by_tips])


@dataclass(frozen=True, slots=True)
class AblationReport:
    """A table as far as it has come.

    Attributes:
        rows: Models by variants, in the order of the configuration.
        sets: The evaluation sets, and for each whether the paper's numbers were measured on it.
        num_seeds: Runs of a complete row.
        failures: Runs that cannot continue, and why.
    """

    rows: tuple[AblationRow, ...]
    sets: dict[str, bool]
    num_seeds: int
    failures: tuple[str, ...] = ()

    def to_text(self) -> str:
        """Return a Markdown table, and below it what a reader has to know."""
        titles = [
            f"{name}: {title}"
            for name, is_published in self.sets.items()
            for title in (*(title for title, _ in COLUMNS.values()), *([METROS_TIPS] if is_published else []))
        ]
        table = [["model", "variant", "seeds", "steps", "best round", *titles], *map(self._cells, self.rows)]
        over = "One seed," if self.num_seeds == 1 else f"Mean ± sd over {self.num_seeds} seeds, each"
        notes = [f"{over} at its checkpoint with the lowest held-out PA-MPJPE; errors in mm."]
        if any(self.sets.values()):
            notes.append(TIPS_NOTE)
        notes += [f"Failed: {failure}" for failure in self.failures]
        notes += [run.warning for row in self.rows for run in row.runs if run.warning]
        notes += [
            f"{finished.run} on {name}: {scores.warning}"
            for row in self.rows
            for finished in row.runs
            for name, scores in finished.scores.items()
            if name in self.sets and scores.warning
        ]
        return "\n".join([*markdown_table(table), "", *notes])

    def to_json(self) -> dict[str, Any]:
        """Return everything, run by run, ready for `json.dumps`."""
        return {
            "num_seeds": self.num_seeds,
            "evaluation": list(self.sets),
            "rows": [
                {
                    "model": row.model,
                    "variant": row.variant,
                    "scores": {name: self._spreads(row, name) for name in self.sets},
                    "published": asdict(row.published) if row.published else None,
                    "runs": [_run_json(finished) for finished in row.runs],
                }
                for row in self.rows
            ],
            "failures": list(self.failures),
        }

    def _cells(self, row: AblationRow) -> list[str]:
        steps = " / ".join(dict.fromkeys(f"{finished.steps:,}" for finished in row.runs)) or NOT_YET
        best = " / ".join(str(finished.best_round + 1) for finished in row.runs) or NOT_YET
        cells = [row.model, VARIANT_LABELS[row.variant], f"{len(row.runs)} of {self.num_seeds}", steps, best]
        for name, is_published in self.sets.items():
            for metric, (_, form) in COLUMNS.items():
                spread = row.spread(name, metric)
                theirs = getattr(row.published, metric, None) if is_published else None
                paper = f" (paper {theirs:{form}})" if theirs is not None else ""
                cells.append((spread.to_text(form) if spread else NOT_YET) + paper)
            if is_published:
                spread = row.spread_with_metros_tips(name)
                cells.append(spread.to_text(".2f") if spread else NOT_YET)
        return cells

    def _spreads(self, row: AblationRow, name: str) -> dict[str, dict[str, Any]]:
        spreads = {metric: row.spread(name, metric) for metric in COLUMNS}
        return {
            metric: {"mean": spread.mean, "sd": spread.sd, "values": list(spread.values)}
            for metric, spread in spreads.items()
            if spread is not None
        }


def _spread_of(values: Sequence[float]) -> Spread | None:
    return Spread(tuple(values)) if values else None


def read_ablation(config: AblationConfig, *, failures: Sequence[str] = ()) -> AblationReport:
    """Return the table as it stands on the disk; nothing is trained or scored.

    Raises:
        ConfigError: A run went on for longer than planned.
    """
    finished = [result for run in planned_runs(config) if (result := read_run(run)) is not None]
    rows = [
        AblationRow(
            model=model,
            variant=variant,
            runs=tuple(each for each in finished if (each.run.model, each.run.variant) == (model, variant)),
            published=published_scores(entry.model, variant),
        )
        for model, entry in config.models.items()
        for variant in config.variants
    ]
    return AblationReport(
        rows=tuple(rows),
        sets={name: each.published for name, each in config.evaluation.items()},
        num_seeds=len(config.seeds),
        failures=tuple(failures),
    )


def _run_json(finished: FinishedRun) -> dict[str, Any]:
    return {
        "seed": finished.run.seed,
        "run_dir": str(finished.run.config.run_dir),
        "steps": finished.steps,
        "wall_s": finished.wall_s,
        "best_round": finished.best_round,
        "recycled_since": finished.recycled_since,
        "warning": finished.warning,
        "scores": {name: scores.model_dump() for name, scores in finished.scores.items()},
    }
