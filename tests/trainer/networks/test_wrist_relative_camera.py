"""Which points a network's camera is for: FastMETRO's for hands moved to their wrists, METRO's for raw ones.

The networks here say that a hand's wrist is 3 cm off the origin, as those of others may.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import Tensor

from shared.skeleton import WRIST
from tests.support.random_hands import ONES
from tests.support.small_hands import open_hand, small_fastmetro, small_graphormer, small_metro
from trainer.evaluation.predict import at_the_origin, predict_crops
from trainer.networks.fastmetro import FastMetro, apply_rows
from trainer.networks.metro import TokenNetwork
from trainer.objective.geometry import project_weak_perspective
from trainer.objective.supervised import SupervisedLoss
from trainer.types import HandTarget

OFF_M = torch.tensor([0.03, 0.0, 0.0])
CROPS = torch.randint(0, 256, (2, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
IMAGES = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def off_fastmetro() -> FastMetro:
    """All raw points of this network are 3 cm to the right of those of `small_fastmetro`."""
    network = small_fastmetro().eval()
    with torch.no_grad():
        network.xyz_regressor.bias.add_(OFF_M)
    return network


@contextmanager
def raw_points(network: FastMetro) -> Iterator[list[Tensor]]:
    """Collect what the last layer says, before anything is moved."""
    found: list[Tensor] = []
    handle = network.xyz_regressor.register_forward_hook(
        lambda _module, _inputs, output: found.append(output)
    )
    yield found
    handle.remove()


def published_places(network: FastMetro, points_m: Tensor, camera: Tensor) -> tuple[Tensor, Tensor]:
    """Project joints of the mesh and joint tokens as FastMETRO's training does: each from its own wrist."""
    tokens_m, coarse_m = points_m[:, :21], points_m[:, 21:]
    joints_m = apply_rows(network.joint_regressor, apply_rows(network.upsampling, coarse_m))
    places = [
        project_weak_perspective(joints - joints[:, WRIST, None], camera) for joints in (joints_m, tokens_m)
    ]
    return places[0], places[1]


def test_fastmetro_learns_from_the_places_that_its_recipe_projects() -> None:
    network = off_fastmetro()
    with raw_points(network) as found:
        hand = network(IMAGES)
    mesh_ndc, tokens_ndc = published_places(network, found[0], hand.camera)
    target = HandTarget(torch.zeros(2, 778, 3), torch.zeros(2, 21, 3), torch.zeros(2, 21, 2))
    loss = SupervisedLoss(torch.tensor(open_hand().faces), ONES)(hand, target)
    torch.testing.assert_close(loss.projected, (mesh_ndc.abs() + tokens_ndc.abs()).mean(dim=(1, 2)))


def test_fastmetros_camera_learns_as_in_its_recipe() -> None:
    network = off_fastmetro()
    with raw_points(network) as found:
        hand = network(IMAGES)
    mesh_ndc, tokens_ndc = published_places(network, found[0], hand.camera)
    target = HandTarget(torch.zeros(2, 778, 3), torch.zeros(2, 21, 3), torch.zeros(2, 21, 2))
    loss = SupervisedLoss(torch.tensor(open_hand().faces), ONES)(hand, target)
    (ours,) = torch.autograd.grad(loss.projected.sum(), network.cam_predictor.bias, retain_graph=True)
    (theirs,) = torch.autograd.grad(
        (mesh_ndc.abs() + tokens_ndc.abs()).mean(dim=(1, 2)).sum(), network.cam_predictor.bias
    )
    torch.testing.assert_close(ours, theirs)


def test_where_fastmetros_raw_hand_is_changes_no_prediction_overlay_or_twin() -> None:
    """At a scale of 8, 3 cm would be 27 pixels of 224."""
    here, there = (predict_crops(network, CROPS) for network in (small_fastmetro().eval(), off_fastmetro()))
    for ours, theirs in zip(here[:3], there[:3], strict=True):
        np.testing.assert_allclose(theirs, ours, atol=1e-6)


@pytest.mark.parametrize("make", [small_metro, small_graphormer])
def test_metros_hands_are_shown_where_training_saw_them(make: Callable[[], TokenNetwork]) -> None:
    """Its recipe projects raw points; predictions and exports are moved to the wrist with their camera."""
    network = make().eval()
    with torch.no_grad():
        network.encoder[-1].leave.bias.add_(OFF_M)  # type: ignore[union-attr,operator]
    hand = network(IMAGES)
    assert (hand.joints_m - make().eval()(IMAGES).joints_m)[:, WRIST, 0].min() > 0.025
    moved = at_the_origin(hand)
    assert moved.joints_m[:, WRIST].abs().max() == 0
    torch.testing.assert_close(
        project_weak_perspective(moved.joints_m, moved.camera),
        project_weak_perspective(hand.joints_m, hand.camera),
    )
