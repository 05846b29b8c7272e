"""Predicting a crop in four turns, and keeping what the network is surest of.

A network that was shown upright hands above all is good at these; a photograph's hand may point anywhere.
"""

from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor

from shared.errors import ConfigError
from trainer.networks.base import HandNetwork
from trainer.types import HandPrediction

_QUARTERS: Final = 4


def surest_of_turns(network: HandNetwork, images: Float[Tensor, "batch 3 height width"]) -> HandPrediction:
    """Return the hands of square crops, in 32 bits; of one turn unless the network wants to try four.

    Of four, the hand whose heat spreads least is taken, and turned back to how the crop shows it; meshes,
    joints, cameras and spreads are returned then, and nothing that only training compares.

    Raises:
        ConfigError: The network wants four turns, but does not say how unsure it is.
    """
    if not network.tries_turns:
        return network(images).each(Tensor.float)
    turned = torch.cat([torch.rot90(images, k, dims=(2, 3)) for k in range(_QUARTERS)])
    hand = network(turned)  # in one call, which takes small networks less time than four
    rows = torch.arange(len(turned), device=images.device).chunk(_QUARTERS)
    tried = [_turned_back(hand.rows(part), k) for k, part in enumerate(rows)]
    verts_m, joints_m, camera, spreads_ndc = (torch.stack(parts) for parts in zip(*tried, strict=True))
    best = spreads_ndc.mean(dim=2).argmin(dim=0), torch.arange(len(images), device=images.device)
    return HandPrediction(verts_m[best], joints_m[best], camera[best], spreads_ndc=spreads_ndc[best])


def _turned_back(hand: HandPrediction, quarters: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return vertices, joints and cameras as if the picture had not been turned, and the joints' spreads."""
    if hand.spreads_ndc is None:
        raise ConfigError(
            "model: expected a network that says how unsure it is, to choose between turns, found another.",
            remedy="Take joint_reader, or leave tries_turns out.",
        )
    # torch.rot90 turns pictures from x towards -y, counter-clockwise on the screen: this is the way back.
    turn = torch.eye(2, device=hand.camera.device)
    for _ in range(quarters):
        turn = turn @ torch.tensor(((0.0, 1.0), (-1.0, 0.0)), device=hand.camera.device)
    verts_m, joints_m, camera = (
        points.float() for points in (hand.verts_m, hand.joints_m, hand.camera[:, None])
    )
    shifts_m = camera[..., 1:] @ turn
    return (
        torch.cat((verts_m[..., :2] @ turn, verts_m[..., 2:]), dim=2),
        torch.cat((joints_m[..., :2] @ turn, joints_m[..., 2:]), dim=2),
        torch.cat((camera[..., :1], shifts_m), dim=2)[:, 0],
        hand.spreads_ndc.float(),
    )
