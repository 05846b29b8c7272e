from functools import cache

import numpy as np
import pytest
import torch

from shared.hand_model import load_hand_model
from trainer.hands.sampled import labelled_hand
from trainer.networks.regressor import HandRegressor, bone_basis
from trainer.types import HandPrediction


@cache
def regressor() -> HandRegressor:
    torch.manual_seed(0)
    return HandRegressor(load_hand_model(), backbone="test_resnet", pretrained=False).eval()


def predict(seed: int = 0, *, batch: int = 2) -> HandPrediction:
    images = torch.randn(batch, 3, 64, 64, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        return regressor()(images)


def test_training_starts_from_the_mean_hand_in_the_middle_of_the_crop() -> None:
    hand = predict()
    model = load_hand_model()
    expected = torch.tensor(model.template_m - (model.joint_regressor @ model.template_m)[0])
    assert float((hand.verts_m - expected).abs().max()) < 0.002
    span_ndc = hand.camera[0, 0] * float(np.ptp(model.template_m, axis=0).max())
    assert float(span_ndc) == pytest.approx(1.4, rel=0.01)
    assert float(hand.camera[:, 1:].abs().max()) < 0.002


def test_joints_belong_to_the_mesh() -> None:
    hand = predict()
    expected = torch.tensor(load_hand_model().joint_regressor) @ hand.verts_m
    torch.testing.assert_close(hand.joints_m, expected)


def test_the_scale_stays_positive_whatever_the_layer_says() -> None:
    network = HandRegressor(load_hand_model(), backbone="test_resnet", pretrained=False)
    with torch.no_grad():
        network.head.bias[-3] = -50
        assert float(network(torch.zeros(2, 3, 64, 64)).camera[0, 0]) > 0


def test_any_posed_hand_can_be_said_within_half_a_millimetre() -> None:
    """Bones move vertices as the model's own skinning does; its small pose corrections are what remains."""
    model = load_hand_model()
    basis = np.kron(bone_basis(model), np.eye(3))
    modes = np.concatenate((basis, model.shape_dirs.reshape(-1, model.num_shapes)), axis=1)
    posed_m = np.stack([labelled_hand(model, seed=0, index=index).verts_m for index in range(8)])
    wanted_m = (posed_m - model.template_m).reshape(8, -1).T
    found_m = modes @ np.linalg.lstsq(modes, wanted_m, rcond=None)[0]
    errors_m = np.linalg.norm((found_m - wanted_m).T.reshape(8, -1, 3), axis=2)
    assert errors_m.mean() < 0.0005


def test_a_shift_of_all_bones_shifts_the_hand() -> None:
    model = load_hand_model()
    shifts = bone_basis(model).reshape(model.num_verts, 16, 4)[:, :, 3]
    np.testing.assert_allclose(shifts.sum(axis=1), 0.05, rtol=1e-4)
