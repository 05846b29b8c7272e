"""Synthetic hands are training labels: exact, inside the picture, varied, and the same on every machine."""

import numpy as np
import pytest
import torch

from shared.camera import project_px
from shared.freihand import LabelledHand
from shared.hand_model import HandModel, load_hand_model
from tests.support.mano_files import write_mano_pickle
from trainer.hands.posing import PosedHand
from trainer.hands.sampled import IMAGE_PX, labelled_hand
from trainer.hands.self_contact import SelfContact

COUNT = 60


@pytest.fixture(scope="module", params=["open hand", "mano"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> HandModel:
    if request.param == "open hand":
        return load_hand_model()
    coefficients = np.random.default_rng(0).normal(scale=0.5, size=(100, 45))
    folder = tmp_path_factory.mktemp("models")
    return load_hand_model(write_mano_pickle(folder / "MANO_RIGHT.pkl", hands_coeffs=coefficients))


@pytest.fixture(scope="module")
def hands(model: HandModel) -> list[LabelledHand]:
    return [labelled_hand(model, seed=1, index=index) for index in range(COUNT)]


def test_the_same_number_gives_the_same_hand_whatever_was_drawn_before(
    model: HandModel, hands: list[LabelledHand]
) -> None:
    again = labelled_hand(model, seed=1, index=COUNT - 1)
    np.testing.assert_array_equal(again.verts_m, hands[-1].verts_m)
    np.testing.assert_array_equal(again.mano, hands[-1].mano)
    assert again.camera == hands[-1].camera
    assert labelled_hand(model, seed=2, index=COUNT - 1).mano[0] != again.mano[0]


def test_every_hand_is_wholly_inside_its_picture_and_large_enough(hands: list[LabelledHand]) -> None:
    for hand in hands:
        verts_px = project_px(hand.verts_m, hand.camera)
        assert verts_px.min() > 0
        assert verts_px.max() < IMAGE_PX - 1
        assert np.ptp(verts_px, axis=0).max() > 40
        assert hand.verts_m[:, 2].min() > 0.2


def test_joints_are_the_models_regression_of_the_vertices(
    model: HandModel, hands: list[LabelledHand]
) -> None:
    for hand in hands:
        assert hand.verts_m.dtype == hand.joints_m.dtype == hand.mano.dtype == np.float32
        np.testing.assert_allclose(model.joint_regressor @ hand.verts_m, hand.joints_m, atol=1e-5)


def test_the_parameters_give_the_vertices_but_for_a_translation(
    model: HandModel, hands: list[LabelledHand]
) -> None:
    """FreiHAND's 61 numbers: pose, shape, pixel of the middle finger's base, and pixels per metre there."""
    mano = torch.from_numpy(np.stack([hand.mano for hand in hands]))
    posed = PosedHand(model)(mano[:, :48], mano[:, 48:58]).verts_m.numpy()
    for hand, verts_m in zip(hands, posed, strict=True):
        shift_m = hand.verts_m.astype(float) - verts_m
        np.testing.assert_allclose(shift_m, np.broadcast_to(shift_m.mean(0), shift_m.shape), atol=1e-5)
        np.testing.assert_allclose(hand.mano[58:60], project_px(hand.joints_m, hand.camera)[9], rtol=1e-5)
        assert hand.mano[60] == pytest.approx(hand.camera.fx_px / hand.joints_m[9, 2])


def test_no_hand_is_a_mirror_image(model: HandModel, hands: list[LabelledHand]) -> None:
    """A rotation keeps the sign of a solid's volume; a reflection does not."""
    for hand in hands:
        corners = hand.verts_m[model.faces] - hand.verts_m.mean(0)
        assert np.linalg.det(corners).sum() > 0


def test_hands_do_not_go_through_themselves(model: HandModel, hands: list[LabelledHand]) -> None:
    contact = SelfContact(model)
    depths_m = [contact.depth_m(hand.verts_m) for hand in hands]
    assert np.mean(np.less(depths_m, 0.004)) > 0.95


def test_palms_and_backs_are_seen_but_never_along_the_arm(
    model: HandModel, hands: list[LabelledHand]
) -> None:
    towards_camera, towards_palm = [], []
    for hand in hands:
        arm = hand.joints_m[0] - hand.joints_m[9]
        across = hand.joints_m[5] - hand.joints_m[17]
        back = np.cross(-arm, across)
        towards_camera.append(-arm[2] / np.linalg.norm(arm))
        towards_palm.append(back[2] / np.linalg.norm(back))
    assert max(towards_camera) < 0.92
    assert np.mean(np.less(towards_camera, 0.6)) > 0.7
    assert min(towards_palm) < -0.5
    assert max(towards_palm) > 0.5


def test_a_small_spread_of_views_shows_raised_palms() -> None:
    """Fingers up, palm to the camera, so the thumb of a right hand is to the right in the picture."""
    for index in range(COUNT):
        joints_m = labelled_hand(load_hand_model(), index, seed=1, view_sd_deg=5.0).joints_m
        up, thumb = joints_m[9] - joints_m[0], joints_m[2] - joints_m[0]
        assert -up[1] > 0.9 * np.linalg.norm(up)
        assert thumb[0] > 0
        assert np.cross(joints_m[5] - joints_m[0], joints_m[17] - joints_m[0])[2] < 0


def test_a_third_of_the_hands_is_seen_as_by_somebody_who_works_with_them() -> None:
    """Fingers away from the camera, palm not towards it."""
    joints_m = np.stack([labelled_hand(load_hand_model(), index, seed=3).joints_m for index in range(120)])
    fingers = joints_m[:, 9] - joints_m[:, 0]
    away = fingers[:, 2] / np.linalg.norm(fingers, axis=1)
    palm = np.cross(joints_m[:, 5] - joints_m[:, 0], joints_m[:, 17] - joints_m[:, 0])[:, 2]
    assert 0.25 < np.mean((away > -0.2) & (palm > 0)) < 0.7
