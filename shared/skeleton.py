"""The 21 joints that data sets and papers speak of, in FreiHAND's order.

From which vertices they follow is the hand model's business (`shared.hand_model.model`).
"""

from itertools import pairwise

WRIST = 0

FINGERS: dict[str, tuple[int, int, int, int]] = {
    "thumb": (1, 2, 3, 4),
    "index": (5, 6, 7, 8),
    "middle": (9, 10, 11, 12),
    "ring": (13, 14, 15, 16),
    "little": (17, 18, 19, 20),
}
"""The joints of each finger, from base to tip."""

TIPS: tuple[int, ...] = tuple(chain[-1] for chain in FINGERS.values())

JOINT_NAMES: tuple[str, ...] = (
    "wrist",
    *(f"{finger}_{part}" for finger in FINGERS for part in ("base", "middle", "end", "tip")),
)

BONES: tuple[tuple[int, int], ...] = tuple(
    bone for chain in FINGERS.values() for bone in pairwise((WRIST, *chain))
)
"""Pairs of joints, the one nearer to the wrist first."""
