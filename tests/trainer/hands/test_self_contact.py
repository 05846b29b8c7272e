"""Self-contact is judged by beads; it must see what a person sees."""

import numpy as np
import pytest
import torch

from shared.hand_model import HandModel, load_hand_model
from trainer.hands.pose_prior import rotation_vectors
from trainer.hands.posing import PosedHand
from trainer.hands.self_contact import SelfContact


@pytest.fixture(scope="module")
def model() -> HandModel:
    return load_hand_model()


def verts_of(model: HandModel, angles_deg: np.ndarray) -> np.ndarray:
    assert model.anatomy is not None
    pose = rotation_vectors(model.anatomy, angles_deg).reshape(1, 48).astype(np.float32)
    verts_m: np.ndarray = PosedHand(model)(torch.from_numpy(pose), torch.zeros(1, 10)).verts_m[0].numpy()
    return verts_m


def test_the_flat_hand_does_not_touch_itself(model: HandModel) -> None:
    assert SelfContact(model).depth_m(model.template_m) == 0


def test_place_and_direction_of_the_hand_do_not_matter(model: HandModel) -> None:
    verts_m = verts_of(model, np.full((5, 5), 60.0))
    turned_m = verts_m[:, [1, 2, 0]] + np.float32(0.4)
    contact = SelfContact(model)
    assert contact.depth_m(turned_m) == pytest.approx(contact.depth_m(verts_m), abs=1e-6)


def test_a_finger_pushed_into_the_palm_is_found(model: HandModel) -> None:
    angles_deg = np.zeros((5, 5))
    angles_deg[1] = (78, 0, 0, 98, 58)
    assert SelfContact(model).depth_m(verts_of(model, angles_deg)) > 0.006


def test_fingers_pushed_into_one_another_are_found(model: HandModel) -> None:
    angles_deg = np.zeros((5, 5))
    angles_deg[2, 1], angles_deg[3, 1] = -9, 12
    assert SelfContact(model).depth_m(verts_of(model, angles_deg)) > 0.002
