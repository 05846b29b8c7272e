from functools import cache

import torch

from shared.skeleton import WRIST
from tests.support.small_hands import open_hand
from trainer.hands.noisy_points import NoisyBatch, NoisyPoints
from trainer.networks.joint_reader.mesh_lifter import fit_camera
from trainer.objective.geometry import project_weak_perspective


@cache
def points() -> NoisyPoints:
    return NoisyPoints(open_hand(), num_hands=8, seed=0)


def batch(size: int = 16, *, seed: int = 1) -> NoisyBatch:
    return points().batch(size, torch.Generator().manual_seed(seed))


def test_a_batch_follows_from_its_generator_and_its_bank_from_the_seed() -> None:
    other_bank = NoisyPoints(open_hand(), num_hands=8, seed=0)
    again = other_bank.batch(16, torch.Generator().manual_seed(1))
    for found, expected in zip(again, batch(), strict=True):
        assert torch.equal(found, expected)
    assert not torch.equal(batch(seed=2).points_ndc, batch().points_ndc)


def test_joints_belong_to_the_mesh_and_their_wrist_is_the_origin() -> None:
    drawn = batch()
    regressed_m = torch.tensor(open_hand().joint_regressor) @ drawn.verts_m
    torch.testing.assert_close(regressed_m, drawn.joints_m, atol=1e-4, rtol=0)
    assert float(drawn.joints_m[:, WRIST].abs().max()) < 1e-6


def test_hands_are_right_hands_however_they_are_turned() -> None:
    """Seen from the wrist, the thumb is on one side of the palm; a reflection would exchange the sides."""
    joints_m = batch(64).joints_m
    index, little, thumb = joints_m[:, 5], joints_m[:, 17], joints_m[:, 1]
    volume = (torch.linalg.cross(index, little, dim=1) * thumb).sum(dim=1)
    template = torch.tensor(open_hand().joint_regressor @ open_hand().template_m)
    template = template - template[WRIST]
    expected = torch.dot(torch.linalg.cross(template[5], template[17]), template[1])
    assert float((volume * expected > 0).float().mean()) > 0.9


def test_points_are_seen_by_a_camera() -> None:
    """What noise and perspective leave is a scaled orthographic view of the true joints."""
    drawn = batch(64)
    camera = fit_camera(drawn.joints_m, drawn.points_ndc[..., :2], weights=1 / drawn.spreads_ndc)
    seen_ndc = project_weak_perspective(drawn.joints_m, camera)
    off_ndc = (seen_ndc - drawn.points_ndc[..., :2]).norm(dim=2).median()
    assert float(off_ndc) < 0.1
    assert bool((camera[:, 0] > 4).all())


def test_points_that_are_further_off_are_more_doubted() -> None:
    drawn = batch(256)
    camera = fit_camera(drawn.joints_m, drawn.points_ndc[..., :2], weights=1 / drawn.spreads_ndc)
    off_ndc = (project_weak_perspective(drawn.joints_m, camera) - drawn.points_ndc[..., :2]).norm(dim=2)
    both = torch.stack((off_ndc.flatten().log(), drawn.spreads_ndc.flatten().log()))
    assert float(torch.corrcoef(both)[0, 1]) > 0.3
