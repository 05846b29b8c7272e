"""Hands without pictures: noisy points, as if read from a picture, and the mesh that they belong to.

A batch costs milliseconds, so that every training step can have one beside its photographs. What learns from
them meets more poses and other mistakes than photographs show.
"""

from typing import Final, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from shared.hand_model import HandModel
from shared.skeleton import WRIST
from trainer.hands.pose_prior import sample_pose
from trainer.hands.posing import PosedHand

_CHUNK: Final = 500
_POSE_NOISE_RAD: Final = 0.06
_SCALES: Final = (5.0, 11.0)
"""Of the crop's camera, ndc per metre."""
_NEARNESSES: Final = (0.6, 3.5)
"""One divided by the distance of the hand in metres: pictures are taken in perspective, labels are not."""
_TYPICAL_NOISE_NDC: Final = 0.035
_WRONG_SHARE: Final = 0.03
_WRONG_FACTOR: Final = 5.0
_MOST_NOISE_NDC: Final = 0.5
_DEPTH_NOISE: Final = 1.6
"""Noise of depths, divided by that of places in all: depths are harder to see."""
_SHARP_SPREAD_NDC: Final = 0.08
"""Spread of a heat map that is as sure as it can be: about a cell."""


class NoisyBatch(NamedTuple):
    """What a network could have read from pictures, and the truth.

    Attributes:
        points_ndc: Place in the crop, and depth behind the wrist in the same unit.
        spreads_ndc: How unsure each point is, about as much as it is wrong.
        verts_m: True vertices from the wrist, camera axes.
        joints_m: True joints in the same frame.
    """

    points_ndc: Float[Tensor, "batch joints 3"]
    spreads_ndc: Float[Tensor, "batch joints"]
    verts_m: Float[Tensor, "batch verts 3"]
    joints_m: Float[Tensor, "batch joints 3"]

    def to(self, device: torch.device) -> "NoisyBatch":
        """Return the same values on a device."""
        return NoisyBatch(*(value.to(device) for value in self))


class NoisyPoints:
    """A bank of posed hands, seen from anywhere in every batch anew.

    Args:
        model: Hand model.
        num_hands: In the bank; 40,000 take 190 MB and half a minute of a core.
        seed: Decides the bank; batches are decided by their own generator.
        visible: Show progress where a terminal watches.
    """

    def __init__(self, model: HandModel, *, num_hands: int, seed: int, visible: bool = True) -> None:
        rng = np.random.default_rng(seed)
        posed_hand = PosedHand(model)
        verts_m, joints_m = [], []
        starts = range(0, num_hands, _CHUNK)
        for start in tqdm(starts, desc="Posing hands", disable=None if visible else True, leave=False):
            count = min(_CHUNK, num_hands - start)
            fingers = np.stack([sample_pose(model, rng) for _ in range(count)])
            fingers = fingers + rng.normal(scale=_POSE_NOISE_RAD, size=fingers.shape)
            pose = np.concatenate((np.zeros((count, 3)), fingers), axis=1).astype(np.float32)
            shape = np.clip(rng.standard_normal((count, model.num_shapes)), -2, 2).astype(np.float32)
            with torch.no_grad():
                hands = posed_hand(torch.from_numpy(pose), torch.from_numpy(shape))
            wrist_m = hands.joints_m[:, WRIST, None]
            verts_m.append((hands.verts_m - wrist_m).half())
            joints_m.append(hands.joints_m - wrist_m)
        self._verts_m, self._joints_m = torch.cat(verts_m), torch.cat(joints_m)

    def batch(self, size: int, generator: torch.Generator) -> NoisyBatch:
        """Draw hands, views, cameras, and mistakes; the generator decides all of it."""
        chosen = torch.randint(len(self._joints_m), (size,), generator=generator)
        turn = _random_turns(size, generator).transpose(1, 2)
        verts_m, joints_m = self._verts_m[chosen].float() @ turn, self._joints_m[chosen] @ turn
        scale = torch.empty(size, 1, 1).uniform_(*_SCALES, generator=generator)
        nearness = torch.empty(size, 1, 1).uniform_(*_NEARNESSES, generator=generator)
        from_middle_m = joints_m - joints_m.mean(dim=1, keepdim=True)
        shift_ndc = 0.1 * torch.randn(size, 1, 2, generator=generator)
        places_ndc = (scale * from_middle_m[..., :2] + shift_ndc) / (1 + nearness * from_middle_m[..., 2:])
        noise_ndc = _noise(size, joints_m.shape[1], generator)
        off = torch.randn(*joints_m.shape, generator=generator) * noise_ndc[..., None]
        off = off * torch.tensor((0.7, 0.7, _DEPTH_NOISE))
        points_ndc = torch.cat((places_ndc, scale * joints_m[..., 2:]), dim=2) + off
        doubt = torch.exp(0.25 * torch.randn(noise_ndc.shape, generator=generator))
        return NoisyBatch(points_ndc, (_SHARP_SPREAD_NDC + noise_ndc) * doubt, verts_m, joints_m)


def _noise(size: int, num_joints: int, generator: torch.Generator) -> Float[Tensor, "batch joints"]:
    """Draw how wrong joints are: alike within a hand, and a few of them entirely."""
    hand = torch.exp(0.7 * torch.randn(size, 1, generator=generator))
    joint = torch.exp(0.6 * torch.randn(size, num_joints, generator=generator))
    is_wrong = torch.rand(size, num_joints, generator=generator) < _WRONG_SHARE
    noise_ndc = _TYPICAL_NOISE_NDC * hand * joint
    return torch.where(is_wrong, _WRONG_FACTOR * noise_ndc, noise_ndc).clamp_max(_MOST_NOISE_NDC)


def _random_turns(size: int, generator: torch.Generator) -> Float[Tensor, "batch 3 3"]:
    """Draw rotations, all equally likely, from unit quaternions."""
    w, x, y, z = functional.normalize(torch.randn(size, 4, generator=generator), dim=1).unbind(dim=1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack([torch.stack(row, dim=1) for row in rows], dim=1)
