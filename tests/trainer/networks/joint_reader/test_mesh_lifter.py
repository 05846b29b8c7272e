from functools import cache

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from shared.skeleton import WRIST
from tests.support.small_hands import open_hand
from trainer.hands.sampled import labelled_hand
from trainer.networks.joint_reader.mesh_lifter import MeshLifter, fit_camera, mean_bone, palm_axes
from trainer.objective.geometry import project_weak_perspective


@cache
def points() -> torch.Tensor:
    """Joints of four hands, in metres."""
    hands = [labelled_hand(open_hand(), index, seed=0) for index in range(4)]
    return torch.tensor(np.stack([hand.joints_m for hand in hands]))


def from_wrist_m() -> torch.Tensor:
    return points() - points()[:, WRIST, None]


@pytest.mark.parametrize("magnified", [0.1, 7.0])
def test_a_hand_turns_with_its_points_and_keeps_its_size(magnified: float) -> None:
    torch.manual_seed(0)
    network, spreads_ndc = MeshLifter(open_hand()).eval(), torch.full((4, 21), 0.1)
    torch.nn.init.normal_(network.leave.weight, std=0.02)  # not the mean hand
    turn = torch.tensor(Rotation.random(rng=np.random.default_rng(0)).as_matrix(), dtype=torch.float32)
    shift = torch.tensor([0.3, -2.0, 1.0])
    with torch.no_grad():
        hand = network(points(), spreads_ndc)
        turned = network(magnified * points() @ turn.T + shift, spreads_ndc)
    torch.testing.assert_close(turned.verts_m, hand.verts_m @ turn.T, atol=1e-4, rtol=0)


def test_an_untrained_lifter_returns_the_mean_hand_turned_as_the_palm_is() -> None:
    network = MeshLifter(open_hand())
    with torch.no_grad():
        hand = network(points(), torch.zeros(4, 21))
    torch.testing.assert_close(palm_axes(hand.joints_m), palm_axes(points()), atol=0.02, rtol=0)
    torch.testing.assert_close(mean_bone(hand.joints_m), network.mean_bone_m.expand(4), atol=1e-3, rtol=0)


def test_palm_axes_are_a_rotation() -> None:
    axes = palm_axes(points())
    torch.testing.assert_close(axes @ axes.transpose(1, 2), torch.eye(3).expand(4, 3, 3), atol=1e-4, rtol=0)
    torch.testing.assert_close(torch.linalg.det(axes), torch.ones(4), atol=1e-4, rtol=0)


def test_the_fitted_camera_is_the_one_that_projected() -> None:
    camera = torch.tensor([[8.0, 0.01, -0.02], [5.0, 0.0, 0.03], [11.0, -0.05, 0.0], [2.0, 0.1, 0.1]])
    places_ndc = project_weak_perspective(from_wrist_m(), camera)
    weights = torch.rand(4, 21, generator=torch.Generator().manual_seed(0)) + 0.1
    found = fit_camera(from_wrist_m(), places_ndc, weights=weights)
    torch.testing.assert_close(found, camera, atol=1e-4, rtol=1e-4)


def test_a_joint_without_weight_does_not_move_the_camera() -> None:
    camera = torch.tensor([[8.0, 0.01, -0.02]]).expand(4, 3)
    places_ndc = project_weak_perspective(from_wrist_m(), camera)
    places_ndc[:, 8] += 1.0
    weights = torch.ones(4, 21)
    weights[:, 8] = 0
    found = fit_camera(from_wrist_m(), places_ndc, weights=weights)
    torch.testing.assert_close(found, camera, atol=1e-4, rtol=1e-4)


def test_the_camera_never_turns_the_hand_over() -> None:
    turned_ndc = -8 * from_wrist_m()[..., :2]
    assert float(fit_camera(from_wrist_m(), turned_ndc, weights=torch.ones(4, 21))[:, 0].min()) > 0
