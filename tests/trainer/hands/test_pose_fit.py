"""Parameters that describe a mesh: exact for the model's own, honest about others, of either side."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from shared.hand_model import HandModel
from shared.hand_model.left_hand import MIRROR, TURN_MIRROR
from tests.support.small_hands import open_hand
from trainer.hands.pose_fit import FittedPose, fit_pose
from trainer.hands.posing import PosedHand
from trainer.hands.sampled import labelled_hand

HANDS = 6


def posed(model: HandModel, fitted: FittedPose) -> np.ndarray:
    pose, shape, shift_m = (
        torch.tensor(values[None], dtype=torch.float32)
        for values in (fitted.pose_rad, fitted.shape, fitted.shift_m)
    )
    verts_m: np.ndarray = PosedHand(model)(pose, shape, shift_m).verts_m[0].numpy()
    return verts_m


@pytest.mark.parametrize("index", range(HANDS))
def test_a_posed_hand_is_described_within_an_eighth_of_a_millimetre(index: int) -> None:
    verts_m = labelled_hand(open_hand(), index, seed=3).verts_m
    fitted = fit_pose(verts_m, open_hand())
    assert fitted.residual_mm < 0.13
    distances_mm = 1000 * np.linalg.norm(posed(open_hand(), fitted) - verts_m, axis=1)
    assert distances_mm.mean() == pytest.approx(fitted.residual_mm, abs=2e-3)
    assert np.abs(fitted.shape).max() < 3


def test_corrections_that_a_pose_adds_are_part_of_the_result() -> None:
    """As MANO has them: with random ones of about half a millimetre, which the steps ignore."""
    rng = np.random.default_rng(0)
    shape = open_hand().pose_dirs.shape
    model = replace(open_hand(), pose_dirs=(2e-4 * rng.standard_normal(shape)).astype(np.float32))
    verts_m = labelled_hand(model, 1, seed=3).verts_m
    fitted = fit_pose(verts_m, model)
    assert fitted.residual_mm < 0.3
    assert np.linalg.norm(posed(model, fitted) - verts_m, axis=1).mean() < 3e-4


def test_the_residual_tells_what_no_pose_explains() -> None:
    verts_m = labelled_hand(open_hand(), 0, seed=3).verts_m
    noise_m = 2e-3 * np.random.default_rng(0).standard_normal(verts_m.shape)
    fitted = fit_pose(verts_m + noise_m, open_hand())
    assert fitted.residual_mm == pytest.approx(1000 * np.linalg.norm(noise_m, axis=1).mean(), rel=0.06)


def test_a_left_hand_has_the_parameters_of_the_mirrored_model() -> None:
    verts_m = labelled_hand(open_hand(), 2, seed=3).verts_m
    right, left = fit_pose(verts_m, open_hand()), fit_pose(verts_m * MIRROR, open_hand(), side="left")
    np.testing.assert_allclose(left.pose_rad.reshape(16, 3) * TURN_MIRROR, right.pose_rad.reshape(16, 3))
    np.testing.assert_allclose(left.shape, right.shape)
    np.testing.assert_allclose(left.shift_m * MIRROR, right.shift_m)
    assert left.residual_mm == right.residual_mm
