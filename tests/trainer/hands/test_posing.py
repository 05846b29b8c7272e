"""Posing through smplx, against linear blend skinning written out, and against labels of real photographs."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from shared.hand_model import HandModel, load_hand_model
from tests.support.mano_files import write_mano_pickle
from trainer.hands.posing import PosedHand


@pytest.fixture(scope="module", params=["open hand", "MANO's features"])
def model(request: pytest.FixtureRequest) -> HandModel:
    """The embedded hand, and one with the pose correctives and the mean pose that MANO has."""
    embedded = load_hand_model()
    if request.param == "open hand":
        return embedded
    rng = np.random.default_rng(0)
    return replace(
        embedded,
        pose_dirs=rng.normal(scale=1e-3, size=(778, 3, 135)).astype(np.float32),
        mean_pose=rng.normal(scale=0.2, size=45).astype(np.float32),
    )


def random_parameters(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    scales = ((48, 0.7), (10, 1.0), (3, 0.3))
    pose, shape, translation_m = (rng.normal(scale=s, size=(count, n)).astype(np.float32) for n, s in scales)
    return pose, shape, translation_m


def blend_skin(
    model: HandModel, pose: np.ndarray, shape: np.ndarray, translation_m: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """One hand, as the paper on MANO describes it, joint by joint and vertex by vertex."""
    turns = np.concatenate([pose[:3], pose[3:] + model.mean_pose]).reshape(16, 3)
    rotations = Rotation.from_rotvec(turns).as_matrix()
    shaped = model.template_m + model.shape_dirs @ shape
    joints = model.skin_joint_regressor @ shaped
    bent = shaped + model.pose_dirs @ (rotations[1:] - np.eye(3)).ravel()
    turned, moved = [rotations[0]], [joints[0]]
    for joint in range(1, 16):
        parent = model.parents[joint]
        turned.append(turned[parent] @ rotations[joint])
        moved.append(turned[parent] @ (joints[joint] - joints[parent]) + moved[parent])
    verts = np.zeros_like(bent)
    for joint in range(16):
        verts += model.skin_weights[:, joint, None] * (
            (bent - joints[joint]) @ turned[joint].T + moved[joint]
        )
    return verts + translation_m, np.array(moved) + translation_m


def test_posing_agrees_with_blend_skinning_written_out(model: HandModel) -> None:
    pose, shape, translation_m = random_parameters(4)
    hands = PosedHand(model)(*map(torch.from_numpy, (pose, shape, translation_m)))
    for row in range(4):
        verts_m, skin_joints_m = blend_skin(model, pose[row], shape[row], translation_m[row])
        np.testing.assert_allclose(hands.verts_m[row], verts_m, atol=1e-6)
        np.testing.assert_allclose(hands.skin_joints_m[row], skin_joints_m, atol=1e-6)
        np.testing.assert_allclose(hands.joints_m[row], model.joint_regressor @ verts_m, atol=1e-6)


def test_without_parameters_the_template_comes_back(model: HandModel) -> None:
    pose = torch.zeros(1, 48)
    pose[:, 3:] = -torch.from_numpy(model.mean_pose)
    hand = PosedHand(model)(pose, torch.zeros(1, 10))
    np.testing.assert_allclose(hand.verts_m[0], model.template_m, atol=1e-6)


def test_the_root_turns_the_hand_about_its_wrist(model: HandModel) -> None:
    pose, shape, _ = map(torch.from_numpy, random_parameters(1))
    layer = PosedHand(model)
    pose[:, :3] = 0
    before = layer(pose, shape)
    pose[:, :3] = torch.tensor([0.0, np.pi / 2, 0.0])
    after = layer(pose, shape)
    torch.testing.assert_close(after.skin_joints_m[:, 0], before.skin_joints_m[:, 0])
    arm, turned = (hand.verts_m - hand.skin_joints_m[:, :1] for hand in (before, after))
    torch.testing.assert_close(turned, torch.stack([arm[..., 2], arm[..., 1], -arm[..., 0]], -1))


def test_every_parameter_receives_a_gradient(model: HandModel) -> None:
    parameters = [torch.from_numpy(p).requires_grad_() for p in random_parameters(2)]
    PosedHand(model)(*parameters).verts_m.square().sum().backward()
    for parameter in parameters:
        assert parameter.grad is not None
        assert (parameter.grad != 0).all()


def test_nothing_is_printed_and_nothing_is_left_to_train(
    model: HandModel, capsys: pytest.CaptureFixture[str]
) -> None:
    layer = PosedHand(model)
    assert capsys.readouterr().out == ""
    assert not list(layer.parameters())


def test_a_file_of_mano_is_posed_like_the_open_hand(tmp_path: Path) -> None:
    """The same numbers in MANO's own format."""
    parameters = [torch.from_numpy(p) for p in random_parameters(2)]
    mano = load_hand_model(write_mano_pickle(tmp_path / "MANO_RIGHT.pkl"))
    expected = PosedHand(load_hand_model())(*parameters).verts_m
    torch.testing.assert_close(PosedHand(mano)(*parameters).verts_m, expected)


def test_the_parameters_of_real_photographs_give_their_meshes(assets: Path) -> None:
    """Vertex order, joint order, and parametrisation are those of the labels made with the open hand."""
    root = assets / "realhands" / "data"
    mano = np.array(json.loads((root / "evaluation_mano.json").read_text())[:32], np.float32)[:, 0]
    verts_m = np.array(json.loads((root / "evaluation_verts.json").read_text())[:32], np.float32)
    hands = PosedHand(load_hand_model())(torch.from_numpy(mano[:, :48]), torch.from_numpy(mano[:, 48:58]))
    shift_m = verts_m - hands.verts_m.numpy()
    residual_m = shift_m - shift_m.mean(1, keepdims=True)
    assert np.linalg.norm(residual_m, axis=-1).max() < 0.2e-3
