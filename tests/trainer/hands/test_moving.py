"""A film of one hand: it rests, then moves without jumps, and its labels belong together."""

import numpy as np

from shared.camera import project_px
from tests.support.small_hands import open_hand
from trainer.hands.moving import ACT_FRAMES, REST_FRAMES, is_at_rest, moving_hand

FRAMES = [moving_hand(open_hand(), index, seed=3) for index in range(0, ACT_FRAMES)]


def steps_m() -> np.ndarray:
    joints_m = np.stack([frame.joints_m for frame in FRAMES])
    steps: np.ndarray = np.linalg.norm(np.diff(joints_m, axis=0), axis=2).max(axis=1)
    return steps


def test_the_hand_rests_exactly_and_then_moves_ever_faster_without_jumps() -> None:
    steps = steps_m()
    resting = np.array([is_at_rest(index) for index in range(1, ACT_FRAMES)])
    assert resting.sum() == REST_FRAMES - 1
    assert steps[resting].max() == 0
    assert steps[~resting].max() < 0.05
    assert steps[-16:].max() > 2 * steps[REST_FRAMES : REST_FRAMES + 30].max()


def test_it_stays_one_hand_whose_joints_belong_to_its_mesh() -> None:
    for frame in FRAMES[::40]:
        np.testing.assert_allclose(open_hand().joint_regressor @ frame.verts_m, frame.joints_m, atol=2e-5)
        np.testing.assert_array_equal(frame.mano[48:58], FRAMES[0].mano[48:58])
        root_px = project_px(frame.joints_m, frame.camera)[9]
        np.testing.assert_allclose(frame.mano[58:60], root_px, atol=1e-3)
        assert frame.camera == FRAMES[0].camera


def test_frames_are_the_same_whichever_is_asked_for_first() -> None:
    again = moving_hand(open_hand(), 77, seed=3)
    np.testing.assert_array_equal(again.verts_m, FRAMES[77].verts_m)
    other = moving_hand(open_hand(), ACT_FRAMES, seed=3)
    assert np.abs(other.verts_m - FRAMES[0].verts_m).max() > 0.005
