"""Positions in camera axes, recovered from a weak-perspective camera and the intrinsics."""

import numpy as np
import pytest

from shared.camera import project_px, px_to_ndc
from shared.types import Intrinsics, WeakPerspective
from trainer.evaluation.wrist_position import wrist_translations

CAMERA = Intrinsics(fx_px=480.0, fy_px=500.0, cx_px=110.0, cy_px=114.0, width_px=224, height_px=224)
K = np.array([[480.0, 0, 110], [0, 500, 114], [0, 0, 1]])


def flat_hand(seed: int) -> np.ndarray:
    """Joints at one depth, for which both cameras agree exactly; the wrist is the origin."""
    joints_m = np.random.default_rng(seed).normal(scale=0.04, size=(21, 3)) * [1, 1, 0]
    return np.asarray(joints_m - joints_m[0])


def best_weak_perspective(joints_m: np.ndarray, wrist_m: np.ndarray, camera: Intrinsics) -> np.ndarray:
    """The camera whose picture of the joints is closest to that of the pinhole."""
    ndc = px_to_ndc(project_px(joints_m + wrist_m, camera), size_px=224)
    system = np.zeros((42, 3))
    system[0::2, 0], system[1::2, 0] = joints_m[:, 0], joints_m[:, 1]
    system[0::2, 1] = system[1::2, 2] = 1
    scale, right, down = np.linalg.lstsq(system, ndc.ravel())[0]
    return np.array([scale, right / scale, down / scale])


def test_a_flat_hand_is_placed_exactly() -> None:
    square = Intrinsics(fx_px=480.0, fy_px=480.0, cx_px=110.0, cy_px=114.0, width_px=224, height_px=224)
    matrix = np.array([[480.0, 0, 110], [0, 480, 114], [0, 0, 1]])
    wrists_m = np.array([[0.05, -0.02, 0.6], [-0.1, 0.08, 0.9]])
    joints_m = np.stack([flat_hand(0), flat_hand(1)])
    pairs = zip(joints_m, wrists_m, strict=True)
    cameras = np.stack([best_weak_perspective(joints, wrist, square) for joints, wrist in pairs])
    found_m = wrist_translations(joints_m, cameras, np.stack([matrix, matrix]), image_px=224)
    np.testing.assert_allclose(found_m, wrists_m, atol=1e-9)


def test_a_real_hand_is_placed_within_a_few_millimetres() -> None:
    """Depth within the hand, a tenth of its distance, is what weak perspective leaves out."""
    joints_m = np.random.default_rng(2).normal(scale=0.03, size=(21, 3))
    joints_m -= joints_m[0]
    wrist_m = np.array([0.04, -0.03, 0.6])
    camera = best_weak_perspective(joints_m, wrist_m, CAMERA)
    found_m = wrist_translations(joints_m[None], camera[None], K[None], image_px=224)
    np.testing.assert_allclose(found_m[0], wrist_m, atol=0.015)


def test_the_pinhole_sees_the_placed_hand_where_the_weak_camera_does() -> None:
    joints_m = np.random.default_rng(3).normal(scale=0.02, size=(21, 3))
    joints_m -= joints_m[0]
    weak = WeakPerspective(scale=7.0, tx_m=0.02, ty_m=-0.03)
    cameras = np.array([[weak.scale, weak.tx_m, weak.ty_m]])
    found_m = wrist_translations(joints_m[None], cameras, K[None], image_px=224)
    expected_px = project_px(joints_m, weak, size_px=224)
    found_px = project_px(joints_m + found_m[0], CAMERA)
    assert np.abs(found_px - expected_px).mean() < 2


@pytest.mark.parametrize(("factor", "depth_ratio"), [(2.0, 0.5), (0.5, 2.0)])
def test_a_hand_that_appears_larger_is_nearer(factor: float, depth_ratio: float) -> None:
    joints_m = flat_hand(4)
    once = wrist_translations(joints_m[None], np.array([[6.0, 0, 0]]), K[None], image_px=224)
    again = wrist_translations(joints_m[None], np.array([[6.0 * factor, 0, 0]]), K[None], image_px=224)
    assert again[0, 2] / once[0, 2] == pytest.approx(depth_ratio)
