"""Scores predictions of a split: anybody's prediction file, or those of a checkpoint of ours."""

from pathlib import Path

import numpy as np

from shared.freihand import FreiHandSplit
from trainer.metrics import score_samples
from trainer.report import EvaluationReport
from trainer.submission import Submission, read_submission


def score_file(path: Path, split: FreiHandSplit) -> EvaluationReport:
    """Score a prediction file in FreiHAND's format.

    Args:
        path: ``pred.json``, or the zip that holds it.
        split: The split that it predicts, with labels.

    Raises:
        DatasetError: The file does not fit the split, or the split has no labels.
    """
    submission = read_submission(path, num_hands=len(split), num_verts=split.verts_m.shape[1])
    return score_submission(submission, split, predictor=str(path))


def score_submission(submission: Submission, split: FreiHandSplit, *, predictor: str) -> EvaluationReport:
    """Score predictions for all images of a split."""
    poses = np.arange(len(split)) % split.num_poses
    return EvaluationReport(
        predictor=predictor,
        dataset=f"{split.root} ({split.split})",
        sample_ids=tuple(split.sample_id(index) for index in range(len(split))),
        samples=score_samples(
            submission.joints_m, submission.verts_m, split.joints_m[poses], split.verts_m[poses]
        ),
    )
