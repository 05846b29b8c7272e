import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from shared.camera import project_px, px_to_ndc, widen
from shared.errors import DatasetError
from shared.freihand import FreiHandSplit
from shared.hand_model import load_hand_model
from shared.types import WeakPerspective
from tests.support.perfect_hands import fit_weak_perspective, perfect_predictions
from tests.support.small_dataset import SIZE_PX, small_split
from trainer.config.data import DataConfig
from trainer.evaluation.centre_crops import BoxCrops
from trainer.evaluation.evaluate import score_photographs
from trainer.evaluation.predict import predict_split
from trainer.networks.base import HandNetwork
from trainer.networks.regressor import HandRegressor
from trainer.types import HandPrediction


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> FreiHandSplit:
    return small_split(tmp_path_factory.mktemp("data"), "training", num_images=5)


class Oracle(HandNetwork):
    """Knows the true hands, in the order of the set; its hands lie off the wrist, and it sees a crop."""

    def __init__(self, split: FreiHandSplit, *, crop_px: int) -> None:
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(()))
        hands = perfect_predictions(split, range(len(split)))
        shift = np.array([0.1, -0.2, 0.3], np.float32)
        cameras = hands.cameras * np.array([SIZE_PX / crop_px, 1, 1], np.float32)
        cameras[:, 1:] -= shift[:2]
        self.hands = [
            torch.from_numpy(each) for each in (hands.verts_m + shift, hands.joints_m + shift, cameras)
        ]
        self.next = 0

    def forward(self, images: Tensor) -> HandPrediction:
        rows = slice(self.next, self.next + len(images))
        self.next += len(images)
        return HandPrediction(*(values[rows] for values in self.hands))


def test_predictions_are_seen_from_the_wrist_and_by_the_whole_photograph(split: FreiHandSplit) -> None:
    found = predict_split(Oracle(split, crop_px=40), split, crop_px=40, input_px=32, batch_size=2)
    expected = perfect_predictions(split, range(5))
    assert found.sample_ids == expected.sample_ids
    np.testing.assert_allclose(found.verts_m, expected.verts_m, atol=1e-6)
    np.testing.assert_allclose(found.joints_m, expected.joints_m, atol=1e-6)
    np.testing.assert_allclose(found.cameras, expected.cameras, rtol=1e-5, atol=1e-6)


def test_the_crops_camera_is_widened_as_the_shared_rule_says(split: FreiHandSplit) -> None:
    oracle = Oracle(split, crop_px=40)
    scale = float(oracle.hands[2][0, 0])
    found = predict_split(oracle, split, crop_px=40, input_px=32, indices=[0])
    assert found.cameras[0, 0] == pytest.approx(widen(WeakPerspective(scale, 0, 0), SIZE_PX / 40).scale)


def test_boxes_are_seen_from_the_whole_photograph_too(split: FreiHandSplit) -> None:
    """The oracle's cameras are those of the boxes, which lie elsewhere in every photograph."""
    oracle = Oracle(split, crop_px=SIZE_PX)
    warps = [BoxCrops(split, margin=1.3, input_px=32).warp(index) for index in range(5)]
    cameras = oracle.hands[2]
    for row, warp in enumerate(warps):
        scale = cameras[row, 0].clone()
        cameras[row, 0] = warp.magnification * scale
        cameras[row, 1:] += torch.tensor(warp.shift_ndc, dtype=torch.float32) / cameras[row, 0]
    found = predict_split(oracle, split, crop_px=40, input_px=32, box_margin=1.3, batch_size=2)
    expected = perfect_predictions(split, range(5))
    np.testing.assert_allclose(found.cameras, expected.cameras, rtol=1e-4, atol=1e-5)


def test_boxes_of_photographs_without_labels_are_not_guessed(tmp_path: Path, split: FreiHandSplit) -> None:
    shutil.copytree(split.root, tmp_path / "data")
    (tmp_path / "data/training_xyz.json").unlink()
    unlabelled = FreiHandSplit(tmp_path / "data", "training")
    with pytest.raises(DatasetError, match="expected labels that tell where the hands are"):
        BoxCrops(unlabelled, margin=1.3, input_px=32)


def test_a_perfect_network_scores_zero(split: FreiHandSplit) -> None:
    data = DataConfig(root=Path(), crop_px=40, input_px=32, batch_size=2, workers=0)
    scores = score_photographs(Oracle(split, crop_px=40), split, range(5), data=data)
    assert scores["pa_mpjpe_mm"] < 1e-3
    assert scores["rr_mpvpe_mm"] < 1e-3
    assert "mpjpe_mm" not in scores


def test_how_photographs_are_grouped_changes_nothing(split: FreiHandSplit) -> None:
    torch.manual_seed(0)
    network = HandRegressor(load_hand_model(), backbone="test_resnet", pretrained=False)
    one, many = (
        predict_split(network, split, crop_px=64, input_px=64, batch_size=size, indices=[3, 1, 4])
        for size in (1, 3)
    )
    assert one.sample_ids == many.sample_ids == ("00000003", "00000001", "00000004")
    np.testing.assert_allclose(one.verts_m, many.verts_m, atol=1e-6)
    assert network.training


def test_the_fitted_camera_shows_a_distant_hand_as_the_pinhole_does(split: FreiHandSplit) -> None:
    verts_m = split.verts_m[0]
    wrist_m = split.joints_m[0, 0]
    ndc = px_to_ndc(project_px(verts_m, split.camera(0)), size_px=SIZE_PX)
    camera = fit_weak_perspective(verts_m - wrist_m, ndc)
    shown = project_px(verts_m - wrist_m, camera, size_px=SIZE_PX)
    assert np.abs(shown - project_px(verts_m, split.camera(0))).max() < 4


def test_a_fit_to_a_weak_perspective_camera_is_exact() -> None:
    points_m = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    true = WeakPerspective(3.0, 0.2, -0.1)
    ndc = px_to_ndc(project_px(points_m, true, size_px=100), size_px=100)
    found = fit_weak_perspective(points_m, ndc)
    np.testing.assert_allclose(
        (found.scale, found.tx_m, found.ty_m), (true.scale, true.tx_m, true.ty_m), rtol=1e-5
    )
