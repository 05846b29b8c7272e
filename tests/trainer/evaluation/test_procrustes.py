import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from trainer.evaluation.procrustes import align, aligned_mean_mm

RNG = np.random.default_rng(0)
HANDS_M = 0.1 * RNG.standard_normal((3, 21, 3))
MIRROR = np.array([-1.0, 1.0, 1.0])


def moved(points_m: np.ndarray) -> np.ndarray:
    """Turned, enlarged and shifted: what alignment undoes."""
    turn = Rotation.from_euler("xyz", (20, -50, 130), degrees=True).as_matrix()
    return np.asarray(1.7 * points_m @ turn.T + np.array([0.3, -0.2, 0.8]))


@pytest.mark.parametrize("allow_reflection", [True, False])
def test_a_hand_that_was_only_moved_is_at_no_distance(allow_reflection: bool) -> None:
    distances_mm = aligned_mean_mm(moved(HANDS_M), HANDS_M, allow_reflection=allow_reflection)
    np.testing.assert_allclose(distances_mm, 0, atol=1e-5)


def test_a_mirror_image_is_at_no_distance_only_if_reflections_are_allowed() -> None:
    mirrored_m = moved(MIRROR * HANDS_M)
    np.testing.assert_allclose(aligned_mean_mm(mirrored_m, HANDS_M, allow_reflection=True), 0, atol=1e-5)
    assert aligned_mean_mm(mirrored_m, HANDS_M, allow_reflection=False).min() > 10
    assert align(mirrored_m, HANDS_M, allow_reflection=False).prefers_mirror.all()


def test_distances_are_millimetres_at_the_size_of_the_target() -> None:
    """Two pairs of points on a line, 200 mm apart; the prediction's inner pair is 20 mm further out."""
    target_m = np.array([[[-0.1, 0, 0], [-0.02, 0, 0], [0.02, 0, 0], [0.1, 0, 0]]])
    found_m = np.array([[[-0.1, 0, 0], [-0.04, 0, 0], [0.04, 0, 0], [0.1, 0, 0]]])
    scale = (0.1 * 0.1 + 0.04 * 0.02) / (0.1**2 + 0.04**2)  # least squares
    expected_mm = 1000 * (abs(0.1 * scale - 0.1) + abs(0.04 * scale - 0.02)) / 2
    assert aligned_mean_mm(found_m, target_m, allow_reflection=True)[0] == pytest.approx(expected_mm)
    assert aligned_mean_mm(7 * found_m, target_m, allow_reflection=True)[0] == pytest.approx(expected_mm)
