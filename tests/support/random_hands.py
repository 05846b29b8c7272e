"""Random hands of a few vertices, and the labels that they meet: what losses are tested with."""

import torch

from trainer.objective.terms import TermWeights
from trainer.types import HandPrediction, HandTarget, KnownLabels

FACES = torch.tensor([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]])
NUM_VERTS, NUM_JOINTS = 9, 21
ONES = TermWeights(joints=1.0, verts=1.0, projected=1.0, edges=1.0, normals=1.0, heat=1.0)


def random_hand(seed: int, *, batch: int = 2) -> HandPrediction:
    rng = torch.Generator().manual_seed(seed)
    return HandPrediction(
        verts_m=0.1 * torch.randn(batch, NUM_VERTS, 3, generator=rng),
        joints_m=0.1 * torch.randn(batch, NUM_JOINTS, 3, generator=rng),
        camera=torch.tensor([8.0, 0.01, -0.02]).repeat(batch, 1),
    )


def moved(hand: HandPrediction, shift_m: tuple[float, float, float]) -> HandPrediction:
    shift = torch.tensor(shift_m)
    return hand._replace(verts_m=hand.verts_m + shift, joints_m=hand.joints_m + shift)


def target_of(hand: HandPrediction) -> HandTarget:
    """The labels that a prediction meets exactly."""
    wrist_m = hand.joints_m[:, :1]
    ndc = hand.camera[:, None, :1] * (hand.joints_m[..., :2] + hand.camera[:, None, 1:])
    return HandTarget(hand.verts_m - wrist_m, hand.joints_m - wrist_m, ndc)


def knowing(*, verts: list[bool], joints: list[bool], places: list[bool]) -> KnownLabels:
    """What is known of each hand: its vertices, all joints in space, all joints in the crop."""
    columns = [torch.tensor(each) for each in (joints, places)]
    return KnownLabels(torch.tensor(verts), *(column[:, None].repeat(1, NUM_JOINTS) for column in columns))
