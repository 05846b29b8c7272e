"""FreiHAND's published protocol: errors, F-scores, and areas under the PCK curve, per hand and on average.

Papers report the aligned numbers (PA-MPJPE, PA-MPVPE, and F@5 and F@15 after alignment), where joints are
aligned with joints and vertices with vertices. Raw numbers compare positions in camera axes, root-relative
ones after both wrists were moved to the origin. FreiHAND itself allows a reflection when it aligns; errors
under rotations only stand beside, because a difference means that left and right were confused.
"""

from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Float
from scipy.spatial import KDTree

from shared.skeleton import WRIST
from trainer.evaluation.procrustes import align, aligned_mean_mm, mean_hand_m

F_THRESHOLDS_M = (0.005, 0.015)
PCK_THRESHOLDS_M = np.linspace(0, 0.05, 100)
MIRROR_TOLERANCE = 0.01
"""Share of hands that may prefer a mirror image, as nearly flat ones do, before it looks like a bug."""
CHUNK_HANDS = 256
LEAST_HANDS_WITH_A_MEAN = 20
"""Of fewer hands the mean knows each of them too well to be compared with."""
MOST_HANDS_IN_A_MEAN = 1000

type Joints = Float[np.ndarray, "hands 21 3"]
type Verts = Float[np.ndarray, "hands verts 3"]
type PerHand = Float[np.ndarray, " hands"]


@dataclass(frozen=True, slots=True)
class Scores[Number]:
    """The numbers of the protocol. Errors are in millimetres, the others between 0 and 1.

    Attributes:
        pa_mpjpe_mm: Mean joint error after alignment. The number to compare.
        pa_mpvpe_mm: Mean vertex error after alignment.
        pa_f5: F-score at 5 mm after alignment.
        pa_f15: F-score at 15 mm after alignment.
        pa_joint_auc: Area under the curve of aligned joints within 0 to 50 mm.
        pa_vert_auc: The same for vertices.
        rr_mpjpe_mm: Mean joint error relative to the wrist.
        rr_mpvpe_mm: Mean vertex error relative to the wrist.
        mpjpe_mm: Mean joint error in camera axes.
        mpvpe_mm: Mean vertex error in camera axes.
        f5: F-score at 5 mm in camera axes.
        f15: F-score at 15 mm in camera axes.
        joint_auc: Area under the curve of joints in camera axes.
        vert_auc: The same for vertices.
        proper_pa_mpjpe_mm: As `pa_mpjpe_mm`, under rotations only.
        proper_pa_mpvpe_mm: As `pa_mpvpe_mm`, under rotations only.
        mirrored: 1 for a hand whose mirror image fits better; their share on average.
    """

    pa_mpjpe_mm: Number
    pa_mpvpe_mm: Number
    pa_f5: Number
    pa_f15: Number
    pa_joint_auc: Number
    pa_vert_auc: Number
    rr_mpjpe_mm: Number
    rr_mpvpe_mm: Number
    mpjpe_mm: Number
    mpvpe_mm: Number
    f5: Number
    f15: Number
    joint_auc: Number
    vert_auc: Number
    proper_pa_mpjpe_mm: Number
    proper_pa_mpvpe_mm: Number
    mirrored: Number


@dataclass(frozen=True, slots=True)
class ConstantHandScores:
    """What one hand for all photographs scores, the mean of their labels: no network should score worse.

    Only aligned numbers say something about it. Where hands may be turned any way they are low, because
    alignment forgives the turn, and a network that doubts between two turns may well score worse.
    """

    pa_mpjpe_mm: float
    pa_mpvpe_mm: float


type SampleScores = Scores[PerHand]
type HandScores = Scores[float]


def score_hands(
    pred_joints_m: Joints, pred_verts_m: Verts, true_joints_m: Joints, true_verts_m: Verts
) -> HandScores:
    """Return the numbers of the protocol, averaged over the hands. Frames as in `score_samples`."""
    return average(score_samples(pred_joints_m, pred_verts_m, true_joints_m, true_verts_m))


def score_samples(
    pred_joints_m: Joints, pred_verts_m: Verts, true_joints_m: Joints, true_verts_m: Verts
) -> SampleScores:
    """Return the numbers of the protocol for every hand.

    All points are in camera axes. Where predictions have no absolute position, everything but the aligned and
    the root-relative numbers is meaningless.
    """
    arrays = (pred_joints_m, pred_verts_m, true_joints_m, true_verts_m)
    chunks = [
        _score_chunk(*(array[start : start + CHUNK_HANDS].astype(np.float64) for array in arrays))
        for start in range(0, len(true_joints_m), CHUNK_HANDS)
    ]
    names = [field.name for field in fields(Scores)]
    return Scores(**{name: np.concatenate([getattr(chunk, name) for chunk in chunks]) for name in names})


def score_constant_hand(true_joints_m: Joints, true_verts_m: Verts) -> ConstantHandScores | None:
    """Return the aligned numbers of the mean hand; None for too few hands."""
    if len(true_joints_m) < LEAST_HANDS_WITH_A_MEAN:
        return None
    return ConstantHandScores(_constant_mm(true_joints_m), _constant_mm(true_verts_m))


def average(samples: SampleScores) -> HandScores:
    """Return the mean of every number over the hands."""
    return Scores(**{field.name: float(getattr(samples, field.name).mean()) for field in fields(Scores)})


def looks_mirrored(scores: HandScores) -> bool:
    """Tell whether so many hands fit better as mirror images that left and right must be confused."""
    return scores.mirrored > MIRROR_TOLERANCE


def _score_chunk(
    pred_joints_m: Joints, pred_verts_m: Verts, true_joints_m: Joints, true_verts_m: Verts
) -> SampleScores:
    joints = align(pred_joints_m, true_joints_m, allow_reflection=True).points
    verts = align(pred_verts_m, true_verts_m, allow_reflection=True)
    pred_root, true_root = pred_joints_m[:, WRIST, None], true_joints_m[:, WRIST, None]
    f5, f15 = _f_scores(pred_verts_m, true_verts_m)
    pa_f5, pa_f15 = _f_scores(verts.points, true_verts_m)
    return Scores(
        pa_mpjpe_mm=_mean_mm(joints, true_joints_m),
        pa_mpvpe_mm=_mean_mm(verts.points, true_verts_m),
        pa_f5=pa_f5,
        pa_f15=pa_f15,
        pa_joint_auc=_auc(joints, true_joints_m),
        pa_vert_auc=_auc(verts.points, true_verts_m),
        rr_mpjpe_mm=_mean_mm(pred_joints_m - pred_root, true_joints_m - true_root),
        rr_mpvpe_mm=_mean_mm(pred_verts_m - pred_root, true_verts_m - true_root),
        mpjpe_mm=_mean_mm(pred_joints_m, true_joints_m),
        mpvpe_mm=_mean_mm(pred_verts_m, true_verts_m),
        f5=f5,
        f15=f15,
        joint_auc=_auc(pred_joints_m, true_joints_m),
        vert_auc=_auc(pred_verts_m, true_verts_m),
        proper_pa_mpjpe_mm=aligned_mean_mm(pred_joints_m, true_joints_m, allow_reflection=False),
        proper_pa_mpvpe_mm=aligned_mean_mm(pred_verts_m, true_verts_m, allow_reflection=False),
        mirrored=verts.prefers_mirror.astype(np.float64),
    )


def _constant_mm(true_m: Verts) -> float:
    mean_m = mean_hand_m(true_m[:: 1 + (len(true_m) - 1) // MOST_HANDS_IN_A_MEAN])
    chunks = [true_m[start : start + CHUNK_HANDS] for start in range(0, len(true_m), CHUNK_HANDS)]
    errors_mm = [
        aligned_mean_mm(np.broadcast_to(mean_m, chunk.shape), chunk, allow_reflection=True)
        for chunk in chunks
    ]
    return float(np.concatenate(errors_mm).mean())


def _errors_m(predicted: Verts, true: Verts) -> Float[np.ndarray, "hands points"]:
    errors: Float[np.ndarray, "hands points"] = np.linalg.norm(predicted - true, axis=2)
    return errors


def _mean_mm(predicted: Verts, true: Verts) -> PerHand:
    mean: PerHand = 1000 * _errors_m(predicted, true).mean(axis=1)
    return mean


def _auc(predicted: Verts, true: Verts) -> PerHand:
    """Integrate the share of points within each threshold by the trapezoidal rule, relative to a share of 1.

    A point adds a step at the first threshold that it is within, so its area has a closed form.
    """
    steps = len(PCK_THRESHOLDS_M) - 1
    first = np.searchsorted(PCK_THRESHOLDS_M, _errors_m(predicted, true), side="left")
    area = steps - first + np.where(first > 0, 0.5, 0.0)
    mean: PerHand = np.maximum(area, 0).mean(axis=1) / steps
    return mean


def _f_scores(predicted: Verts, true: Verts) -> tuple[PerHand, PerHand]:
    """Return the harmonic means of precision and recall of the nearest neighbour, at both thresholds."""
    scores = np.zeros((len(true), len(F_THRESHOLDS_M)))
    for row, (ours, theirs) in enumerate(zip(predicted, true, strict=True)):
        our_tree, their_tree = KDTree(ours), KDTree(theirs)
        recall_m, _ = our_tree.query(theirs, distance_upper_bound=F_THRESHOLDS_M[-1])
        precision_m, _ = their_tree.query(ours, distance_upper_bound=F_THRESHOLDS_M[-1])
        for column, threshold_m in enumerate(F_THRESHOLDS_M):
            recall, precision = np.mean(recall_m < threshold_m), np.mean(precision_m < threshold_m)
            if recall + precision > 0:
                scores[row, column] = 2 * recall * precision / (recall + precision)
    return scores[:, 0], scores[:, 1]
