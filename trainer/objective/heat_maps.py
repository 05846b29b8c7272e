"""How far heat maps are from where the joints are: the term that teaches a network to see places.

It is not of the paper, whose networks have no heat maps. Distances of mean places alone leave open how a map
gets its mean, and train slowly from flat maps.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

CELLS_SD = 1.0
"""Standard deviation of the wanted heat, in cells."""


def heat_map_loss(
    heat_logits: Float[Tensor, "batch joints rows columns"],
    joints_ndc: Float[Tensor, "batch joints 2"],
    *,
    known: Bool[Tensor, "batch joints"] | None = None,
) -> Float[Tensor, " batch"]:
    """Return the cross entropy between each map and a Gaussian about its joint, on average over the joints.

    Joints outside of the crop have no place in their map: they count as nothing, as those that are not known
    do. The least possible value is the Gaussian's entropy, not zero.
    """
    rows, columns = heat_logits.shape[2:]
    across, down = joints_ndc.unbind(dim=2)
    wanted = _bump(down, rows)[..., :, None] * _bump(across, columns)[..., None, :]
    found = heat_logits.flatten(2).log_softmax(dim=2).unflatten(2, (rows, columns))
    entropies = -(wanted * found).sum(dim=(2, 3)) * is_inside(joints_ndc)
    if known is not None:
        entropies = entropies * known
    mean: Float[Tensor, " batch"] = entropies.mean(dim=1)
    return mean


def is_inside(joints_ndc: Float[Tensor, "batch joints 2"]) -> Bool[Tensor, "batch joints"]:
    """Tell which joints lie inside the crop."""
    inside: Bool[Tensor, "batch joints"] = (joints_ndc.abs() < 1).all(dim=2)
    return inside


def _bump(places_ndc: Float[Tensor, "batch joints"], count: int) -> Float[Tensor, "batch joints cells"]:
    """Return a Gaussian over the cells of one axis, whose sum is 1."""
    centres = (torch.arange(count, device=places_ndc.device, dtype=places_ndc.dtype) + 0.5) * (2 / count) - 1
    from_centre_sd = (places_ndc[..., None] - centres) * (count / 2 / CELLS_SD)
    return (-from_centre_sd.square() / 2).softmax(dim=2)
