"""Differentiable counterparts of shared/camera.py, and the frames in which hands are compared."""

from jaxtyping import Float
from torch import Tensor


def project_weak_perspective(
    points_m: Float[Tensor, "batch points 3"], camera: Float[Tensor, "batch 3"]
) -> Float[Tensor, "batch points 2"]:
    """Project points with a scaled orthographic camera: ``scale * (xy + (tx, ty))``.

    The depth of a point has no effect, so absolute distance cannot be recovered from the result.

    Args:
        points_m: Points in camera axes.
        camera: scale, tx_m, ty_m per image, as in `shared.types.WeakPerspective`.

    Returns:
        Image coordinates in ndc; the image's edges are at -1 and 1.

    Example:
        >>> import torch
        >>> project_weak_perspective(torch.tensor([[[0.1, 0.0, 9.0]]]), torch.tensor([[5.0, 0.02, 0.0]]))
        tensor([[[0.6000, 0.0000]]])
    """
    scale, shift_m = camera[:, None, :1], camera[:, None, 1:]
    return scale * (points_m[..., :2] + shift_m)


def centred(points: Float[Tensor, "batch points dims"]) -> Float[Tensor, "batch points dims"]:
    """Move every hand, in space or in the image, so that the mean of its points is the origin."""
    return points - points.mean(dim=1, keepdim=True)
