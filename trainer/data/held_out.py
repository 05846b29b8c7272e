"""Which photographs are kept back to select models by: those of some poses, the same in every run."""

from dataclasses import dataclass

import numpy as np

from shared.freihand import FreiHandSplit
from shared.seeds import rng_of


@dataclass(frozen=True, slots=True)
class HeldOutSplit:
    """The photographs of a training split, divided by pose: no hand is on both sides.

    Attributes:
        training: Photographs to learn from.
        held_out: Photographs to select models by, one of each held-out pose; all versions take turns, because
            FreiHAND's first one shows the studio's green screen.
    """

    training: tuple[int, ...]
    held_out: tuple[int, ...]


def hold_out(split: FreiHandSplit, *, held_out_share: float, max_samples: int | None = None) -> HeldOutSplit:
    """Hold out a share of the poses, at least one; always the same ones, whatever the seed of the run.

    Args:
        split: The training split.
        held_out_share: Share of the poses.
        max_samples: Learn from this many photographs only, spread over the set.
    """
    order = rng_of("held out").permutation(split.num_poses)
    num_held_out = max(1, round(held_out_share * split.num_poses))
    poses = order[:num_held_out].tolist()
    held_out = [pose + split.num_poses * (turn % split.num_versions) for turn, pose in enumerate(poses)]
    kept_back = frozenset(poses)
    training = [index for index in range(len(split)) if split.pose_of(index) not in kept_back]
    if max_samples is not None and max_samples < len(training):
        chosen = np.linspace(0, len(training) - 1, max_samples).round().astype(int)
        training = [training[row] for row in chosen]
    return HeldOutSplit(tuple(training), tuple(held_out))
