"""The outcome of an evaluation as a table to read, as JSON, and hand by hand as CSV."""

import csv
import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from shared.hand_model.model import MANO_FINGERTIPS, Fingertips
from shared.storage.outputs import write_output
from trainer.evaluation.metrics import (
    ConstantHandScores,
    HandScores,
    SampleScores,
    Scores,
    average,
    looks_mirrored,
)

MIRROR_ADVICE = (
    "Warning: {share:.0%} of the hands fit better as mirror images. The published alignment allows that and "
    "hides it; by rotations alone PA-MPJPE is {joints:.2f} mm and PA-MPVPE {verts:.2f} mm. "
    "Look for a left/right confusion."
)

CONSTANT_HAND_NOTE = (
    "One hand for all of them, the mean of their labels, has PA-MPJPE {pa_mpjpe_mm:.2f} mm and PA-MPVPE "
    "{pa_mpvpe_mm:.2f} mm."
)

_ROWS: tuple[tuple[str, str, tuple[str | None, ...]], ...] = (
    ("joints, mm", ".2f", ("pa_mpjpe_mm", "rr_mpjpe_mm", "mpjpe_mm")),
    ("vertices, mm", ".2f", ("pa_mpvpe_mm", "rr_mpvpe_mm", "mpvpe_mm")),
    ("F@5", ".3f", ("pa_f5", None, "f5")),
    ("F@15", ".3f", ("pa_f15", None, "f15")),
    ("AUC joints", ".3f", ("pa_joint_auc", None, "joint_auc")),
    ("AUC vertices", ".3f", ("pa_vert_auc", None, "vert_auc")),
)
"""Name of a row, format, and the numbers after alignment, relative to the wrist, and in camera axes."""


def fingertips_note(pa_mpjpe_mm: Mapping[Fingertips, float]) -> str:
    """Say which number belongs to which definition: they differ by half a millimetre for the same meshes."""
    vertices = {name: ", ".join(map(str, numbers)) for name, numbers in MANO_FINGERTIPS.items()}
    return (
        f"PA-MPJPE is {pa_mpjpe_mm['default']:.2f} mm with FreiHAND's fingertips (vertices "
        f"{vertices['default']}) and {pa_mpjpe_mm['legacy']:.2f} mm with those of METRO, Graphormer and "
        f"FastMETRO ({vertices['legacy']}), which the numbers of these publications have."
    )


@dataclass(frozen=True, slots=True)
class PredictionsWithoutLabels:
    """What there is to say where predictions cannot be scored.

    Attributes:
        dataset: What was predicted.
        predicted: Number of hands.
    """

    dataset: Path
    predicted: int

    def to_text(self) -> str:
        """Return it in a line."""
        return f"{self.dataset}: predicted {self.predicted} hands; there are no labels to score."

    def to_json(self) -> dict[str, int | None]:
        """Return plain values, without scores."""
        return {"predicted": self.predicted, "scores": None}


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationReport:
    """Scores of one prediction of one split.

    Attributes:
        predictor: What predicted: a checkpoint or a file.
        dataset: What was predicted.
        sample_ids: Names of the images.
        samples: Scores of every hand.
        pa_mpjpe_mm_by_fingertips: For each definition of MANO's fingertips; empty where joints are given.
        constant_hand: What one hand for all images scores; None for too few hands.
    """

    predictor: str
    dataset: str
    sample_ids: tuple[str, ...]
    samples: SampleScores
    pa_mpjpe_mm_by_fingertips: Mapping[Fingertips, float] = field(default_factory=dict)
    constant_hand: ConstantHandScores | None = None

    @property
    def scores(self) -> HandScores:
        """The means over all hands."""
        return average(self.samples)

    @property
    def warning(self) -> str | None:
        """What a reader of the numbers has to know."""
        scores = self.scores
        if not looks_mirrored(scores):
            return None
        return MIRROR_ADVICE.format(
            share=scores.mirrored, joints=scores.proper_pa_mpjpe_mm, verts=scores.proper_pa_mpvpe_mm
        )

    def to_text(self) -> str:
        """Return the table: aligned numbers first, because papers compare those."""
        scores = asdict(self.scores)
        lines = [
            f"{len(self.sample_ids)} hands of {self.dataset}, predicted by {self.predictor}",
            f"{'':14}{'aligned (PA)':>14}{'to the wrist':>14}{'absolute':>14}",
        ]
        for title, form, columns in _ROWS:
            cells = [f"{scores[name]:{form}}" if name else "-" for name in columns]
            lines.append(f"{title:14}" + "".join(f"{cell:>14}" for cell in cells))
        if self.constant_hand is not None:
            lines.append(CONSTANT_HAND_NOTE.format(**asdict(self.constant_hand)))
        if self.pa_mpjpe_mm_by_fingertips:
            lines.append(fingertips_note(self.pa_mpjpe_mm_by_fingertips))
        return "\n".join([*lines, *filter(None, [self.warning])])

    def to_json(self) -> dict[str, Any]:
        """Return everything but the single hands, ready for `json.dumps`."""
        return {
            "predictor": self.predictor,
            "dataset": self.dataset,
            "num_hands": len(self.sample_ids),
            "scores": asdict(self.scores),
            "pa_mpjpe_mm_by_fingertips": dict(self.pa_mpjpe_mm_by_fingertips),
            "constant_hand": None if self.constant_hand is None else asdict(self.constant_hand),
            "warning": self.warning,
        }

    def write_csv(self, path: Path) -> None:
        """Write one line per hand, for error analysis; the worst ones are `sort -t, -k2 -gr`."""
        names = [field.name for field in fields(Scores)]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["sample_id", *names])
        columns = [getattr(self.samples, name) for name in names]
        for row, sample_id in enumerate(self.sample_ids):
            writer.writerow([sample_id, *(f"{column[row]:.6g}" for column in columns)])
        write_output(path, [text.getvalue().encode()])
