"""The protocol against a naive version of it, hand-computed values, and its invariances."""

from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation

from shared.freihand import FreiHandSplit
from trainer.evaluation.metrics import (
    LEAST_HANDS_WITH_A_MEAN,
    HandScores,
    Scores,
    looks_mirrored,
    score_constant_hand,
    score_hands,
    score_samples,
)
from trainer.evaluation.procrustes import align, mean_hand_m

HANDS, VERTS = 5, 60
ERRORS = [field.name for field in fields(Scores) if field.name.endswith("_mm")]
SHARES = [field.name for field in fields(Scores) if "auc" in field.name or "f5" in field.name]
ALIGNED = [field.name for field in fields(Scores) if "pa_" in field.name]

type Hands = tuple[np.ndarray, np.ndarray]


def hands(seed: int = 0) -> Hands:
    """Joints and vertices of the size of hands, half a metre away."""
    rng = np.random.default_rng(seed)
    joints_m = rng.normal((0, 0, 0.6), 0.04, size=(HANDS, 21, 3))
    verts_m = rng.normal((0, 0, 0.6), 0.04, size=(HANDS, VERTS, 3))
    return joints_m, verts_m


def noisy(truth: Hands, *, sigma_m: float = 0.005) -> Hands:
    rng = np.random.default_rng(1)
    joints_m, verts_m = (points + rng.normal(scale=sigma_m, size=points.shape) for points in truth)
    return joints_m, verts_m


def moved(points: Hands, matrix: np.ndarray, shift_m: tuple[float, float, float] = (0, 0, 0)) -> Hands:
    joints_m, verts_m = (part @ matrix.T + shift_m for part in points)
    return joints_m, verts_m


def naive_alignment(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """FreiHAND's alignment, written for one hand as the protocol describes it."""
    target_mean = target.mean(axis=0)
    target, points = target - target_mean, points - points.mean(axis=0)
    target_norm = np.linalg.norm(target)
    target, points = target / target_norm, points / np.linalg.norm(points)
    rotation, scale = orthogonal_procrustes(points, target)
    return np.asarray(points @ rotation * scale * target_norm + target_mean)


def naive_f_score(points: np.ndarray, target: np.ndarray, threshold_m: float) -> float:
    distances_m = cdist(points, target)
    precision = np.mean(distances_m.min(axis=1) < threshold_m)
    recall = np.mean(distances_m.min(axis=0) < threshold_m)
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def naive_auc(points: list[np.ndarray], targets: np.ndarray) -> float:
    """Average the curves of the points, then integrate, as the published code does."""
    errors_m = np.linalg.norm(np.stack(points) - targets, axis=2)
    thresholds_m = np.linspace(0.0, 0.05, 100)
    curve = [np.mean([(point <= t).mean() for point in errors_m.T]) for t in thresholds_m]
    return float(np.trapezoid(curve, thresholds_m) / np.trapezoid(np.ones(100), thresholds_m))


def naive_scores(prediction: Hands, truth: Hands) -> dict[str, float]:
    aligned = [
        [naive_alignment(ours, theirs) for ours, theirs in zip(*pair, strict=True)]
        for pair in zip(prediction, truth, strict=True)
    ]
    raw = [list(points) for points in prediction]
    roots = [points[0][:, :1] for points in (prediction, truth)]
    scores: dict[str, float] = {}
    for prefix, (joints, verts) in {"": raw, "pa_": aligned}.items():
        scores |= {
            f"{prefix}mpjpe_mm": 1000 * np.linalg.norm(np.stack(joints) - truth[0], axis=2).mean(),
            f"{prefix}mpvpe_mm": 1000 * np.linalg.norm(np.stack(verts) - truth[1], axis=2).mean(),
            f"{prefix}joint_auc": naive_auc(joints, truth[0]),
            f"{prefix}vert_auc": naive_auc(verts, truth[1]),
        }
        for name, threshold_m in (("f5", 0.005), ("f15", 0.015)):
            pairs = zip(verts, truth[1], strict=True)
            scores[prefix + name] = float(np.mean([naive_f_score(*pair, threshold_m) for pair in pairs]))
    for name, points, target in zip(("mpjpe", "mpvpe"), prediction, truth, strict=True):
        difference = (points - roots[0]) - (target - roots[1])
        scores[f"rr_{name}_mm"] = float(1000 * np.linalg.norm(difference, axis=2).mean())
    return scores


@pytest.mark.parametrize("sigma_m", [0.001, 0.005, 0.05])
def test_every_number_agrees_with_a_naive_version(sigma_m: float) -> None:
    truth = hands()
    prediction = noisy(truth, sigma_m=sigma_m)
    scores = asdict(score_hands(*prediction, *truth))
    naive = naive_scores(prediction, truth)
    assert len(naive) == 14
    assert {name: scores[name] for name in naive} == pytest.approx(naive, rel=1e-6, abs=1e-9)


def test_the_truth_scores_best() -> None:
    truth = hands()
    scores = asdict(score_hands(*truth, *truth))
    assert {name: scores[name] for name in ERRORS} == pytest.approx(dict.fromkeys(ERRORS, 0), abs=1e-4)
    assert {name: scores[name] for name in SHARES} == pytest.approx(dict.fromkeys(SHARES, 1), abs=6e-3)
    assert scores["joint_auc"] == 1  # an error of zero is within the first threshold, which is zero


def test_aligned_numbers_ignore_place_turn_and_size() -> None:
    truth = hands()
    prediction = noisy(truth)
    turn = 1.3 * Rotation.from_euler("xyz", (100, -20, 70), degrees=True).as_matrix()
    here = asdict(score_hands(*prediction, *truth))
    there = asdict(score_hands(*moved(prediction, turn, (0.3, -0.1, 1.0)), *truth))
    for name in ALIGNED:
        assert there[name] == pytest.approx(here[name], rel=1e-6), name
    assert there["mpjpe_mm"] > 500


def test_root_relative_numbers_ignore_place_only() -> None:
    truth = hands()
    prediction = noisy(truth)
    here = score_hands(*prediction, *truth)
    there = score_hands(*moved(prediction, np.eye(3), (0.3, -0.1, 1.0)), *truth)
    larger = score_hands(*moved(prediction, 1.1 * np.eye(3)), *truth)
    assert there.rr_mpjpe_mm == pytest.approx(here.rr_mpjpe_mm)
    assert there.rr_mpvpe_mm == pytest.approx(here.rr_mpvpe_mm)
    assert larger.rr_mpvpe_mm > here.rr_mpvpe_mm + 1


def test_a_shift_is_measured_in_millimetres() -> None:
    """By hand: 0, 3, 4 mm are 5 mm; the first of 100 thresholds at or above 5 mm is the tenth (index 10)."""
    truth = hands()
    scores = score_hands(*moved(truth, np.eye(3), (0, 0.003, 0.004)), *truth)
    assert scores.mpjpe_mm == pytest.approx(5)
    assert scores.mpvpe_mm == pytest.approx(5)
    assert scores.rr_mpjpe_mm == pytest.approx(0, abs=1e-9)
    assert scores.joint_auc == pytest.approx((99 - 10 + 0.5) / 99)


def test_the_mirror_image_is_perfect_by_the_published_protocol_and_found_out() -> None:
    truth = hands()
    scores = score_hands(*moved(truth, np.diag([-1.0, 1, 1])), *truth)
    assert scores.pa_mpjpe_mm == pytest.approx(0, abs=1e-4)
    assert scores.proper_pa_mpjpe_mm > 5
    assert scores.mirrored == 1
    assert looks_mirrored(scores)


def test_a_good_prediction_does_not_look_mirrored() -> None:
    truth = hands()
    scores = score_hands(*noisy(truth), *truth)
    assert scores.proper_pa_mpvpe_mm == pytest.approx(scores.pa_mpvpe_mm)
    assert not looks_mirrored(scores)


def test_an_all_zero_prediction_scores_the_distance_from_the_centroid() -> None:
    """The reference numbers of FreiHAND's own submission example are those of such a prediction."""
    joints_m, verts_m = hands()
    scores = score_hands(np.zeros_like(joints_m), np.zeros_like(verts_m), joints_m, verts_m)
    spread_m = np.linalg.norm(joints_m - joints_m.mean(axis=1, keepdims=True), axis=2)
    assert scores.pa_mpjpe_mm == pytest.approx(1000 * spread_m.mean())
    assert scores.mpjpe_mm == pytest.approx(1000 * np.linalg.norm(joints_m, axis=2).mean())
    assert scores.f15 == 0
    assert scores.mirrored == 0


def test_hands_are_scored_each_on_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    truth = hands()
    prediction = noisy(truth)
    whole = score_samples(*prediction, *truth)
    monkeypatch.setattr("trainer.evaluation.metrics.CHUNK_HANDS", 2)
    pieces = score_samples(*prediction, *truth)
    alone = score_samples(*(points[3:4] for points in (*prediction, *truth)))
    for field in fields(Scores):
        np.testing.assert_array_equal(getattr(whole, field.name), getattr(pieces, field.name))
        np.testing.assert_allclose(getattr(alone, field.name)[0], getattr(whole, field.name)[3], rtol=1e-9)


class TestConstantHand:
    def test_hands_that_differ_by_turn_and_size_only_are_all_one_hand(self) -> None:
        joints_m, verts_m = (
            np.stack([part[0] @ turn * size for turn, size in turned_and_sized(30)]) for part in hands()
        )
        scores = score_constant_hand(joints_m, verts_m)
        assert scores is not None
        assert asdict(scores) == pytest.approx({"pa_mpjpe_mm": 0, "pa_mpvpe_mm": 0}, abs=1e-4)

    def test_it_scores_as_the_mean_hand_would_if_a_network_predicted_it(self) -> None:
        rng = np.random.default_rng(2)
        joints_m, verts_m = (
            part[:1] + rng.normal(scale=0.01, size=(40, *part.shape[1:])) for part in hands()
        )
        joints, verts = (mean_hand_m(part)[None].repeat(40, axis=0) for part in (joints_m, verts_m))
        expected = score_hands(joints, verts, joints_m, verts_m)
        scores = score_constant_hand(joints_m, verts_m)
        assert scores is not None
        assert scores.pa_mpjpe_mm == pytest.approx(expected.pa_mpjpe_mm)
        assert scores.pa_mpvpe_mm == pytest.approx(expected.pa_mpvpe_mm)
        assert 10 < scores.pa_mpvpe_mm < 20  # sqrt(8 / pi) of the spread, less what alignment takes

    def test_few_hands_have_no_mean_to_be_compared_with(self) -> None:
        joints_m, verts_m = (part.repeat(4, axis=0) for part in hands())
        few = LEAST_HANDS_WITH_A_MEAN - 1
        assert score_constant_hand(joints_m, verts_m) is not None
        assert score_constant_hand(joints_m[:few], verts_m[:few]) is None


def turned_and_sized(count: int) -> list[tuple[np.ndarray, float]]:
    turns = Rotation.random(count, rng=np.random.default_rng(3)).as_matrix()
    return list(zip(turns, np.linspace(0.8, 1.3, count).tolist(), strict=True))


def test_single_precision_is_enough() -> None:
    truth = hands()
    prediction = noisy(truth)
    double = score_hands(*prediction, *truth)
    single = score_hands(*(points.astype(np.float32) for points in (*prediction, *truth)))
    assert asdict(single) == pytest.approx(asdict(double), abs=1e-3)


class TestAlign:
    def test_a_similarity_is_undone(self) -> None:
        _, verts_m = hands()
        turn = Rotation.random(HANDS, rng=np.random.default_rng(3)).as_matrix()
        copy_m = 0.7 * verts_m @ turn + [1.0, 2.0, 3.0]
        aligned = align(copy_m, verts_m, allow_reflection=False)
        np.testing.assert_allclose(aligned.points, verts_m, atol=1e-6)
        assert not aligned.prefers_mirror.any()

    @pytest.mark.parametrize("allow_reflection", [True, False])
    def test_no_small_turn_or_scaling_comes_closer(self, allow_reflection: bool) -> None:
        _, verts_m = hands()
        mirrored_m = verts_m * [1, -1, 1] + 0.01 * hands(7)[1]
        best_m = align(mirrored_m, verts_m, allow_reflection=allow_reflection).points
        centre_m = verts_m.mean(axis=1, keepdims=True)

        def residual(points: np.ndarray) -> np.ndarray:
            return np.asarray(((points - verts_m) ** 2).sum(axis=(1, 2)))

        for axis in np.eye(3):
            for angle in (-0.01, 0.01):
                turned_m = (best_m - centre_m) @ Rotation.from_rotvec(angle * axis).as_matrix() + centre_m
                assert (residual(turned_m) > residual(best_m)).all()
        for scale in (0.99, 1.01):
            assert (residual((best_m - centre_m) * scale + centre_m) > residual(best_m)).all()

    def test_a_flat_set_has_no_preference(self) -> None:
        _, verts_m = hands()
        flat_m = verts_m * [1, 1, 0]
        assert not align(flat_m * [-1, 1, 1], flat_m, allow_reflection=True).prefers_mirror.any()


def test_mean_scores_of_real_hands_are_plausible(
    assets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All-zero on FreiHAND: 47.3 mm aligned joints, 50.7 mm mesh, F@15 0.031; hands are hands everywhere."""
    monkeypatch.setenv("MESHCYCLE_CACHE", str(tmp_path))
    split = FreiHandSplit(assets / "realhands" / "data", "evaluation")
    joints_m, verts_m = split.joints_m[::4], split.verts_m[::4]
    scores = score_hands(np.zeros_like(joints_m), np.zeros_like(verts_m), joints_m, verts_m)
    assert scores.pa_mpjpe_mm == pytest.approx(47.3, abs=8)
    assert scores.pa_mpvpe_mm == pytest.approx(50.7, abs=8)
    assert scores.pa_f15 == pytest.approx(0.031, abs=0.02)
    worse: HandScores = replace(scores, mirrored=1.0)
    assert looks_mirrored(worse)
