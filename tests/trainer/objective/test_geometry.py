import numpy as np
import torch

from shared.camera import project_px, px_to_ndc
from shared.types import WeakPerspective
from trainer.objective.geometry import centred, project_weak_perspective


def points(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, 3, generator=torch.Generator().manual_seed(seed))


def test_projection_agrees_with_the_renderers_camera() -> None:
    """shared.camera places Blender's camera; the network must mean the same by its three numbers."""
    hand, size_px = points(0, 21), 224
    camera = WeakPerspective(scale=7.0, tx_m=0.02, ty_m=-0.01)
    expected = px_to_ndc(project_px(hand.numpy(), camera, size_px=size_px), size_px=size_px)
    found = project_weak_perspective(hand[None], torch.tensor([[7.0, 0.02, -0.01]]))[0]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_depth_has_no_effect_on_the_projection() -> None:
    hand, camera = points(0, 2, 5), torch.tensor([[5.0, 0.1, 0.2], [6.0, 0.0, 0.1]])
    there = hand + torch.tensor([0.0, 0.0, 3.0])
    torch.testing.assert_close(
        project_weak_perspective(there, camera), project_weak_perspective(hand, camera), rtol=0, atol=0
    )


def test_a_centred_hand_has_its_mean_at_the_origin() -> None:
    torch.testing.assert_close(centred(points(0, 3, 21)).mean(dim=1), torch.zeros(3, 3), rtol=0, atol=1e-6)
