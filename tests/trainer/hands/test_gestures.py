"""Signs, grips, and poses of real hands: they are what they are called, and hands could take them."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from shared.hand_model import HandModel, load_hand_model
from shared.hand_model.model import FINGER_CHAINS
from shared.skeleton import TIPS
from trainer.hands.gestures import Angles, sample_grip, sample_sign
from trainer.hands.pose_prior import rotation_vectors, sample_angles
from trainer.hands.posing import PosedHand
from trainer.hands.real_poses import sample_real
from trainer.hands.self_contact import SelfContact

COUNT = 60


@pytest.fixture(scope="module")
def model() -> HandModel:
    return load_hand_model()


def drawn(sample: Callable[[np.random.Generator], Angles]) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.stack([sample(rng) for _ in range(COUNT)])


def posed(model: HandModel, angles_deg: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    assert model.anatomy is not None
    turns = [rotation_vectors(model.anatomy, angles).ravel() for angles in angles_deg]
    pose = torch.tensor(np.stack(turns), dtype=torch.float32)
    pose[:, 3:] -= torch.tensor(model.mean_pose)
    hands = PosedHand(model)(pose, torch.zeros(len(pose), 10))
    return hands.verts_m.numpy(), hands.joints_m.numpy()


@pytest.mark.parametrize("sample", [sample_sign, sample_grip, sample_real])
def test_enough_hands_do_not_go_through_themselves(
    model: HandModel, sample: Callable[[np.random.Generator], Angles]
) -> None:
    """Of eight candidates the first that does not is taken."""
    contact = SelfContact(model)
    depths_m = [contact.depth_m(verts_m) for verts_m in posed(model, drawn(sample))[0]]
    assert np.mean(np.less(depths_m, 0.004)) > 0.3


@pytest.mark.parametrize("sample", [sample_sign, sample_grip, sample_real, sample_angles])
def test_joints_stay_within_the_anatomical_limits(
    model: HandModel, sample: Callable[[np.random.Generator], Angles]
) -> None:
    anatomy = model.anatomy
    assert anatomy is not None
    turns = np.stack([rotation_vectors(anatomy, angles) for angles in drawn(sample)])
    flexion_rad = np.einsum("hji,ji->hj", turns, anatomy.axes[:, 0])
    for chain in FINGER_CHAINS.values():
        for joint in chain[1:] if chain[0] != 13 else chain[2:]:  # those that only bend
            assert flexion_rad[:, joint].min() >= anatomy.limits_rad[joint, 0, 0] - 1e-3
            assert flexion_rad[:, joint].max() <= anatomy.limits_rad[joint, 0, 1] + 1e-3


def test_signs_stretch_and_bend_single_fingers() -> None:
    """Each finger is straight in some hands and curled in others, whatever the next one does."""
    is_curled = drawn(sample_sign)[:, 1:, 3] > 60
    assert (is_curled.mean(axis=0) > 0.15).all()
    assert (is_curled.mean(axis=0) < 0.7).all()
    assert len(np.unique(is_curled, axis=0)) > 8


def test_grips_leave_room_for_things_from_thin_to_thick(model: HandModel) -> None:
    """Distance of the thumb's tip from the nearest other one."""
    joints_m = posed(model, drawn(sample_grip))[1]
    tips_m = joints_m[:, list(TIPS)]
    nearest_m = np.linalg.norm(tips_m[:, 1:] - tips_m[:, :1], axis=2).min(axis=1)
    assert (nearest_m < 0.03).mean() > 0.1
    assert (nearest_m > 0.05).mean() > 0.1


def test_real_poses_are_spread_around_the_digits_that_people_show() -> None:
    """Five is an open hand, and no digit curls all fingers tightly: some hands are open, none is a fist."""
    flexion = drawn(sample_real)[:, 1:, 3]
    assert (flexion.max(axis=1) < 50).mean() > 0.05
    assert (flexion.max(axis=1) > 60).mean() > 0.3
