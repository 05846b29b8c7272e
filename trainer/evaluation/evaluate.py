"""Scores predictions of a split: anybody's prediction file, or those of a checkpoint of ours."""

import functools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from shared.errors import CheckpointError, ConfigError
from shared.freihand import FreiHandSplit
from shared.hand_model.model import MANO_FINGERTIPS, Fingertips, HandModel
from trainer.config.data import DataConfig
from trainer.evaluation.metrics import score_constant_hand, score_hands, score_samples
from trainer.evaluation.predict import HandPredictions, predict_split, require_finite
from trainer.evaluation.procrustes import aligned_mean_mm
from trainer.evaluation.report import EvaluationReport
from trainer.evaluation.submission import Submission, read_submission
from trainer.evaluation.tta import predict_split_with_views
from trainer.evaluation.wrist_position import wrist_translations
from trainer.networks.base import HandNetwork
from trainer.run.trained import TrainedHand


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What a checkpoint says about a split.

    Attributes:
        predictions: Hands relative to their wrists, and their weak-perspective cameras.
        submission: The same hands in camera axes, ready for `write_submission`.
        report: Their scores; None if the split came without labels.
    """

    predictions: HandPredictions
    submission: Submission
    report: EvaluationReport | None


def evaluate_checkpoint(
    trained: TrainedHand,
    split: FreiHandSplit,
    *,
    tta: bool = False,
    batch_size: int = 64,
    workers: int = 0,
) -> Evaluation:
    """Predict a split and score it.

    Joints are those of the trained hand's own model, so its fingertips decide which ones are scored.

    Args:
        trained: The network.
        split: What to predict; labels are needed for the report only.
        tta: Predict rotated and scaled crops too, 95 times the work.
        batch_size: Photographs per forward pass.
        workers: Data-loading processes.

    Raises:
        CheckpointError: A predicted number is not finite.
        ConfigError: Rotated and scaled crops of a network that sees boxes are asked for.
        DatasetError: The network sees boxes, but there are no labels that tell where the hands are.
    """
    data, box_margin = trained.config.data, trained.config.model.box_margin
    if tta and box_margin is not None:
        raise ConfigError(
            "--tta: expected a network of centre crops, found one that sees boxes.",
            remedy="Leave it out: model.tries_turns is what such a network has instead.",
        )
    predict = predict_split_with_views if tta else functools.partial(predict_split, box_margin=box_margin)
    predicted = predict(
        trained.network,
        split,
        crop_px=data.crop_px_of(split.root),
        input_px=data.input_px,
        batch_size=batch_size,
        workers=workers,
    )
    if broken := predicted.broken_ids():
        raise CheckpointError(
            (
                f"{trained.source}: expected finite hands, found NaN or infinity in {len(broken)} of "
                f"{len(predicted)}, the first being {broken[0]}."
            ),
            remedy="Choose another checkpoint.",
        )
    joints_m = (trained.hand_model.joint_regressor @ predicted.verts_m).astype(np.float32)
    predicted = replace(predicted, joints_m=joints_m)
    submission = place_in_camera(predicted, split)
    predictor = f"{trained.source}{' with test-time augmentation' if tta else ''}"
    if not split.has_labels:
        return Evaluation(predicted, submission, report=None)
    report = score_submission(submission, split, predictor=predictor)
    by_fingertips = score_fingertips(predicted, split, trained.hand_model)
    return Evaluation(predicted, submission, replace(report, pa_mpjpe_mm_by_fingertips=by_fingertips))


def score_fingertips(
    predicted: HandPredictions, split: FreiHandSplit, hand_model: HandModel
) -> dict[Fingertips, float]:
    """Return PA-MPJPE for each definition of MANO's fingertips; none for a hand with joints of its own.

    The labels are those of the split, so the same meshes get different numbers.
    """
    if hand_model.fingertips is None:
        return {}
    true_m = split.joints_m[_poses(split)].astype(np.float64)
    joints_m = {
        name: hand_model.joint_regressor_with(name).astype(np.float64) @ predicted.verts_m
        for name in MANO_FINGERTIPS
    }
    return {
        name: float(aligned_mean_mm(points_m, true_m, allow_reflection=True).mean())
        for name, points_m in joints_m.items()
    }


def score_photographs(
    network: HandNetwork,
    split: FreiHandSplit,
    indices: Sequence[int],
    *,
    data: DataConfig,
    box_margin: float | None = None,
    autocast: torch.dtype | None = None,
) -> dict[str, float]:
    """Return the aligned and the wrist-relative numbers of the protocol for labelled photographs.

    The network sees their centre crops, or the boxes of their hands where ``box_margin`` is given.

    Raises:
        TrainingError: A predicted number is not finite, as when 16 bits do not hold it.
    """
    hands = predict_split(
        network,
        split,
        crop_px=data.crop_px_of(split.root),
        input_px=data.input_px,
        box_margin=box_margin,
        indices=indices,
        batch_size=4 * data.batch_size,
        workers=data.workers,
        autocast=autocast,
    )
    require_finite(hands, "held-out photographs")
    poses = [split.pose_of(index) for index in indices]
    scores = score_hands(hands.joints_m, hands.verts_m, split.joints_m[poses], split.verts_m[poses])
    return {name: value for name, value in asdict(scores).items() if name.startswith(("pa_", "rr_"))}


def place_in_camera(predicted: HandPredictions, split: FreiHandSplit) -> Submission:
    """Move wrist-relative predictions of a whole split to where its cameras must have seen them."""
    wrist_m = wrist_translations(
        predicted.joints_m, predicted.cameras, split.intrinsics[_poses(split)], image_px=split.image_px
    )[:, None].astype(np.float32)
    return Submission(joints_m=predicted.joints_m + wrist_m, verts_m=predicted.verts_m + wrist_m)


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
    poses = _poses(split)
    true_joints_m, true_verts_m = split.joints_m[poses], split.verts_m[poses]
    return EvaluationReport(
        predictor=predictor,
        dataset=f"{split.root} ({split.split})",
        sample_ids=tuple(split.sample_id(index) for index in range(len(split))),
        samples=score_samples(submission.joints_m, submission.verts_m, true_joints_m, true_verts_m),
        constant_hand=score_constant_hand(true_joints_m, true_verts_m),
    )


def _poses(split: FreiHandSplit) -> np.ndarray:
    return np.arange(len(split)) % split.num_poses
