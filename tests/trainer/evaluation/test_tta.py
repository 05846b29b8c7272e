"""Test-time augmentation: the views are the published ones, and their mean stays where the plain crop was."""

from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float
from scipy.spatial.transform import Rotation
from torch import Tensor

from shared.freihand import FreiHandSplit
from shared.hand_model import load_hand_model
from tests.support.small_dataset import SIZE_PX, small_split
from trainer.evaluation.centre_crops import CentreCrops
from trainer.evaluation.predict import predict_split
from trainer.evaluation.tta import PLAIN, VIEWS, TtaView, ViewCrops, predict_split_with_views
from trainer.networks.base import HandNetwork
from trainer.types import HandPrediction

CROP_PX, INPUT_PX = 40, 48
FEW = (PLAIN, TtaView(30), TtaView(-30), TtaView(0, 0.8), TtaView(60, 1.1))


@pytest.fixture
def split(tmp_path: Path) -> FreiHandSplit:
    return small_split(tmp_path)


class Unsteady(HandNetwork):
    """Answers every call with the same hand, turned and scaled at random, and with noise."""

    def __init__(self, *, noise_m: float) -> None:
        super().__init__()
        self.anchor = torch.nn.Parameter(torch.zeros(()))
        self.rng = np.random.default_rng(0)
        self.noise_m = noise_m
        model = load_hand_model()
        self.points_m = np.concatenate([model.joint_regressor @ model.template_m, model.template_m])
        self.points_m -= self.points_m[0]
        self.sizes: list[int] = []

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> HandPrediction:
        self.sizes.append(len(images))
        turns = Rotation.random(len(images), rng=self.rng).as_matrix() * self.rng.uniform(0.8, 1.2)
        points_m = self.points_m @ turns
        points_m += self.rng.normal(scale=self.noise_m, size=points_m.shape)
        hand = torch.from_numpy(points_m.astype(np.float32))
        return HandPrediction(hand[:, 21:], hand[:, :21], torch.full((len(images), 3), 0.1))


def predict(
    network: HandNetwork, split: FreiHandSplit, views: tuple[TtaView, ...], *, batch_size: int = 2
) -> Float[np.ndarray, "hands points 3"]:
    predicted = predict_split_with_views(
        network, split, crop_px=CROP_PX, input_px=INPUT_PX, views=views, batch_size=batch_size
    )
    return np.concatenate([predicted.joints_m, predicted.verts_m], axis=1)


def test_the_views_are_nineteen_rotations_in_five_scales() -> None:
    """METRO and Mesh Graphormer; the plain crop is one of them."""
    assert len(set(VIEWS)) == 95
    assert PLAIN in VIEWS
    assert {view.rotation_deg for view in VIEWS} == set(range(-90, 91, 10))
    assert {view.crop_scale for view in VIEWS} == {0.7, 0.8, 0.9, 1.0, 1.1}


def test_one_plain_view_is_the_plain_prediction(split: FreiHandSplit) -> None:
    alone = predict(Unsteady(noise_m=0), split, (PLAIN,))
    plain = predict_split(Unsteady(noise_m=0), split, crop_px=CROP_PX, input_px=INPUT_PX, batch_size=2)
    np.testing.assert_allclose(alone[:, :21], plain.joints_m, atol=1e-6)
    np.testing.assert_allclose(alone[:, 21:], plain.verts_m, atol=1e-6)


def test_turned_and_scaled_answers_do_not_move_the_mean(split: FreiHandSplit) -> None:
    """Every prediction is aligned with the plain one before the mean is taken."""
    np.testing.assert_allclose(
        predict(Unsteady(noise_m=0), split, FEW), predict(Unsteady(noise_m=0), split, (PLAIN,)), atol=1e-6
    )


def test_noise_averages_out(split: FreiHandSplit) -> None:
    noise_m = 0.004
    clean = predict(Unsteady(noise_m=0), split, (PLAIN,))
    many = tuple(TtaView(angle) for angle in range(1, 17))
    clean, once, often = (
        points - points.mean(axis=1, keepdims=True)
        for points in (
            clean,
            predict(Unsteady(noise_m=noise_m), split, (PLAIN,)),
            predict(Unsteady(noise_m=noise_m), split, many),
        )
    )
    assert np.std(often - clean) < 0.4 * np.std(once - clean)


def test_wrists_stay_at_the_origin_and_cameras_follow(split: FreiHandSplit) -> None:
    network = Unsteady(noise_m=0.004)
    predicted = predict_split_with_views(network, split, crop_px=CROP_PX, input_px=INPUT_PX, views=FEW)
    np.testing.assert_allclose(predicted.joints_m[:, 0], 0, atol=1e-7)
    plain = predict_split(Unsteady(noise_m=0.004), split, crop_px=CROP_PX, input_px=INPUT_PX)
    fused_m, plain_m = (
        hands.verts_m[..., :2].mean(axis=1) + hands.cameras[:, 1:] for hands in (predicted, plain)
    )
    np.testing.assert_allclose(fused_m, plain_m, atol=5e-4)


def test_photographs_are_predicted_in_batches(split: FreiHandSplit) -> None:
    network = Unsteady(noise_m=0)
    predict(network, split, FEW, batch_size=3)
    assert network.sizes == [3] * len(FEW)


def test_a_view_turns_the_picture_and_widens_the_crop(split: FreiHandSplit) -> None:
    plain = CentreCrops(split, crop_px=CROP_PX, input_px=INPUT_PX)[1].numpy()
    turned = ViewCrops(split, crop_px=CROP_PX, input_px=INPUT_PX, view=TtaView(90))[1].numpy()
    np.testing.assert_allclose(turned, np.rot90(plain, k=-1), atol=2)
    wider = ViewCrops(split, crop_px=CROP_PX, input_px=INPUT_PX, view=TtaView(0, 1.1))[1].numpy()
    np.testing.assert_array_equal(wider, CentreCrops(split, crop_px=44, input_px=INPUT_PX)[1].numpy())
    assert SIZE_PX > 44
