from functools import cache

import pytest
import torch

from shared.skeleton import WRIST
from tests.support.small_hands import open_hand, small_joint_reader
from trainer.networks.joint_reader.network import JointReader, JointReaderModel
from trainer.objective.geometry import project_weak_perspective
from trainer.types import HandPrediction


@cache
def reader() -> JointReader:
    return small_joint_reader().eval()


def crops(side_px: int = 64) -> torch.Tensor:
    return torch.randn(2, 3, side_px, side_px, generator=torch.Generator().manual_seed(0))


def predict(side_px: int = 64) -> HandPrediction:
    with torch.no_grad():
        return reader()(crops(side_px))


def test_joints_belong_to_the_mesh_and_their_wrist_is_the_origin() -> None:
    hand = predict()
    expected = torch.tensor(open_hand().joint_regressor) @ hand.verts_m
    torch.testing.assert_close(hand.joints_m, expected, atol=1e-5, rtol=0)
    assert float(hand.joints_m[:, WRIST].abs().max()) < 1e-6


def test_joints_read_from_the_maps_are_projected_onto_their_places() -> None:
    hand = predict()
    with torch.no_grad():
        places_ndc = reader().read(crops()).places_ndc
    assert hand.token_joints_m is not None
    projected_ndc = project_weak_perspective(hand.token_joints_m, hand.camera)
    torch.testing.assert_close(projected_ndc, places_ndc, atol=1e-5, rtol=0)


@pytest.mark.parametrize("side_px", [32, 64, 160])
def test_any_multiple_of_32_pixels_is_a_crop(side_px: int) -> None:
    hand = predict(side_px)
    assert hand.heat_logits is not None
    assert hand.heat_logits.shape == (2, 21, side_px // 8, side_px // 8)
    assert torch.isfinite(hand.verts_m).all()


def test_weights_fit_into_a_package() -> None:
    """6.2 MB in half precision, as EXPERIMENTS.md says of the default sizes."""
    config = JointReaderModel(name="joint_reader")
    with torch.device("meta"):
        network = JointReader(
            open_hand(),
            backbone=config.backbone,
            pretrained=False,
            channels=config.channels,
            frozen_stride=config.frozen_stride,
        )
    assert 6.2e6 < 2 * sum(value.numel() for value in network.state_dict().values()) < 6.3e6


def test_flat_heat_is_the_middle_of_the_crop_and_unsure() -> None:
    network = small_joint_reader().eval()
    with torch.no_grad():
        for parameter in network.heat.parameters():
            parameter.zero_()
        flat = network.read(crops())
    torch.testing.assert_close(flat.places_ndc, torch.zeros(2, 21, 2), atol=1e-6, rtol=0)
    uniform = (2 * (8**2 - 1) / 12) ** 0.5 * 2 / 8  # of 8 cells along each of two axes
    torch.testing.assert_close(flat.spreads_ndc, torch.full((2, 21), uniform), atol=1e-5, rtol=0)


def test_depths_are_relative_to_the_wrist() -> None:
    with torch.no_grad():
        depths_ndc = reader().read(crops()).depths_ndc
    assert float(depths_ndc[:, WRIST].abs().max()) == 0
    assert float(depths_ndc.abs().max()) > 0
