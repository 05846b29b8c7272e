"""Sampled hands must be hands: within limits, and not through themselves."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from shared.errors import HandModelError
from shared.hand_model.loading import load_hand_model
from shared.hand_model.model import FINGER_CHAINS, HandModel
from shared.skeleton import FINGERS
from tests.support.mano_files import write_mano_pickle
from trainer.hands.pose_prior import (
    NAMED_ANGLES_DEG,
    PoseName,
    named_pose,
    rotation_vectors,
    sample_angles,
    sample_pose,
)
from trainer.hands.posing import PosedHand
from trainer.hands.self_contact import SelfContact


@pytest.fixture(scope="module")
def model() -> HandModel:
    return load_hand_model()


def posed_joints_m(model: HandModel, name: PoseName) -> np.ndarray:
    pose = np.concatenate([np.zeros(3), named_pose(model, name)]).astype(np.float32)
    hand = PosedHand(model)(torch.from_numpy(pose[None]), torch.zeros(1, 10))
    joints_m: np.ndarray = hand.joints_m[0].numpy()
    return joints_m


def bend_deg(joints_m: np.ndarray, finger: str) -> float:
    """Return the angle between the first and the last bone of a finger."""
    base, middle, end, tip = joints_m[list(FINGERS[finger])]
    first, last = middle - base, tip - end
    return float(np.degrees(np.arccos(first @ last / np.linalg.norm(first) / np.linalg.norm(last))))


def test_the_open_hand_is_the_template(model: HandModel) -> None:
    assert not named_pose(model, "open").any()


@pytest.mark.parametrize(
    ("name", "curled"),
    [
        ("fist", {"index", "middle", "ring", "little"}),
        ("point", {"middle", "ring", "little"}),
        ("victory", {"ring", "little"}),
        ("thumbs_up", {"index", "middle", "ring", "little"}),
    ],
)
def test_a_named_pose_curls_its_fingers_and_stretches_the_others(
    model: HandModel, name: PoseName, curled: set[str]
) -> None:
    joints_m = posed_joints_m(model, name)
    for finger in set(FINGERS) - {"thumb"}:
        bend = bend_deg(joints_m, finger)
        assert bend > 120 if finger in curled else bend < 25, (finger, bend)


def test_curled_fingertips_lie_before_the_palm(model: HandModel) -> None:
    """The palm looks to -y; fingertips that go through it would come out at +y."""
    joints_m = posed_joints_m(model, "fist")
    for finger in set(FINGERS) - {"thumb"}:
        base, *_, tip = FINGERS[finger]
        assert joints_m[tip, 1] < joints_m[base, 1] - 0.005, finger
        assert np.linalg.norm(joints_m[tip] - joints_m[base]) < 0.045, finger


def test_a_pinch_brings_thumb_and_index_together(model: HandModel) -> None:
    """Two tip joints, each some 5 mm inside of its pad, touch at about 13 mm."""
    joints_m = posed_joints_m(model, "pinch")
    assert 0.009 < np.linalg.norm(joints_m[FINGERS["thumb"][3]] - joints_m[FINGERS["index"][3]]) < 0.016


@pytest.mark.parametrize(
    ("finger", "kind", "direction"),
    [
        *((finger, kind, (0, -1, 0)) for finger in range(1, 5) for kind in (0, 3, 4)),
        *((finger, 1, (0, 0, 1)) for finger in range(1, 5)),
        (0, 0, (0, 0, -1)),
        (0, 1, (0, -1, 0)),
    ],
)
def test_positive_angles_mean_what_they_say(
    model: HandModel, finger: int, kind: int, direction: tuple[int, int, int]
) -> None:
    """Flexion bends fingers to the palm (-y) and moves the thumb across it (-z).

    Abduction turns fingers to the thumb (+z), and the thumb away from the palm.
    """
    assert model.anatomy is not None
    angles_deg = np.zeros((2, 5, 5))
    angles_deg[1, finger, kind] = 15
    poses = np.stack([rotation_vectors(model.anatomy, a).ravel() for a in angles_deg]).astype(np.float32)
    joints_m = PosedHand(model)(torch.from_numpy(poses), torch.zeros(2, 10)).joints_m.numpy()
    tip = 4 * finger + 4
    assert (joints_m[1, tip] - joints_m[0, tip]) @ direction > 0.002


@pytest.mark.parametrize("name", NAMED_ANGLES_DEG)
def test_no_named_pose_goes_through_itself(model: HandModel, name: PoseName) -> None:
    pose = np.concatenate([np.zeros(3), named_pose(model, name)]).astype(np.float32)
    hand = PosedHand(model)(torch.from_numpy(pose[None]), torch.zeros(1, 10))
    assert SelfContact(model).depth_m(hand.verts_m[0].numpy()) < 0.004


def test_angles_beyond_the_limits_are_brought_back(model: HandModel) -> None:
    assert model.anatomy is not None
    far = rotation_vectors(model.anatomy, np.full((5, 5), 500.0))
    end = FINGER_CHAINS["index"][2]
    np.testing.assert_allclose(np.linalg.norm(far[end]), model.anatomy.limits_rad[end, 0, 1], rtol=1e-5)
    np.testing.assert_array_equal(far[0], 0)


def test_sampled_fingers_are_open_as_well_as_closed() -> None:
    rng = np.random.default_rng(0)
    middle_flexion = np.stack([sample_angles(rng)[1:, 3] for _ in range(400)])
    for finger in middle_flexion.T:
        assert 0.1 < (finger < 15).mean() < 0.6
        assert 0.05 < (finger > 80).mean() < 0.5


def test_the_same_generator_gives_the_same_pose(model: HandModel) -> None:
    first, again = (sample_pose(model, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.float32


def test_without_anatomy_poses_follow_the_models_own_components(tmp_path: Path) -> None:
    """A file of MANO: coefficients are spread as in the poses from which the components were learnt."""
    components = np.zeros((45, 45))
    components[0, 7] = 1
    coefficients = np.zeros((2, 45))
    coefficients[:, 0] = (-0.5, 0.5)
    path = write_mano_pickle(tmp_path / "m.pkl", hands_components=components, hands_coeffs=coefficients)
    mano = load_hand_model(path)
    rng = np.random.default_rng(0)
    poses = np.stack([sample_pose(mano, rng) for _ in range(500)])
    assert not np.delete(poses, 7, axis=1).any()
    assert poses[:, 7].std() == pytest.approx(0.5, rel=0.1)
    with pytest.raises(HandModelError, match="expected a model with anatomical axes"):
        named_pose(mano, "fist")


def test_the_mean_pose_of_a_model_is_taken_off(model: HandModel) -> None:
    """Pose parameters are relative to it, and posing adds it again."""
    shifted = replace(model, mean_pose=np.full(45, 0.1, np.float32))
    np.testing.assert_allclose(
        named_pose(shifted, "fist") + shifted.mean_pose, named_pose(model, "fist"), atol=1e-6
    )
