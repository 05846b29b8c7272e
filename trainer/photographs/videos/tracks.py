"""Which hand of a frame is which hand of the frames before, and of which side it has mostly been."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Final

import numpy as np
from jaxtyping import Float
from scipy.optimize import linear_sum_assignment

from shared.types import Side
from trainer.photographs.hand import PhotographedHand

_PATIENCE_S: Final = 0.7
"""A hand that was not seen for longer comes back as another one."""
_FARTHEST: Final = 1.5
"""Of 2: a box elsewhere costs 1, and joints that are a box away cost 1."""
_OTHER_SIDE: Final = 0.25
_MEMORY: Final = 0.98
"""How much of a vote is left a frame later, so that an error at the beginning does not stay for ever."""


@dataclass(slots=True, eq=False)
class Track:
    """A hand through a video.

    Attributes:
        identity: Its number, from 0.
        joints_px: Where it was seen last.
        corners_px: Of the square in which it was found then.
        seen_s: When that was.
        votes: For either side, weighted by the finder's confidence.
    """

    identity: int
    joints_px: Float[np.ndarray, "21 2"]
    corners_px: Float[np.ndarray, "2 2"]
    seen_s: float
    votes: dict[Side, float] = field(default_factory=lambda: {"left": 0.0, "right": 0.0})

    @property
    def side(self) -> Side:
        """What it has mostly been."""
        return "left" if self.votes["left"] > self.votes["right"] else "right"

    def see(self, hand: PhotographedHand, *, time_s: float) -> None:
        """Follow it to where it is now."""
        joints_px = hand.project(hand.joints_m)
        if np.isfinite(joints_px).all():
            self.joints_px, self.corners_px, self.seen_s = joints_px, _corners_px(hand), time_s

    def vote(self, hand: PhotographedHand) -> None:
        """Count the side that the finder has said."""
        for side in self.votes:
            self.votes[side] *= _MEMORY
        confidence = hand.square.confidence
        self.votes[hand.side] += 1.0 if confidence is None else confidence


class Tracker:
    """The hands of a video that were seen lately."""

    def __init__(self) -> None:
        self._tracks: list[Track] = []
        self._numbers = count()

    def follow(self, hands: Sequence[PhotographedHand], *, time_s: float) -> list[Track]:
        """Return the track of every hand, in their order; each has seen its hand and counted its side.

        Args:
            hands: Of one frame.
            time_s: Of that frame; it never goes back.
        """
        self._tracks = [track for track in self._tracks if time_s - track.seen_s <= _PATIENCE_S]
        costs = np.array([[_cost(hand, track) for track in self._tracks] for hand in hands])
        found: dict[int, Track] = {}
        if costs.size:
            rows, columns = linear_sum_assignment(costs)
            for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
                if costs[row, column] <= _FARTHEST:
                    found[row] = self._tracks[column]
        for row, hand in enumerate(hands):
            if row not in found:
                found[row] = Track(next(self._numbers), np.zeros((21, 2)), np.zeros((2, 2)), time_s)
                self._tracks.append(found[row])
            found[row].see(hand, time_s=time_s)
            found[row].vote(hand)
        return [found[row] for row in range(len(hands))]


def _cost(hand: PhotographedHand, track: Track) -> float:
    """Return how unlike they are: by their boxes, by the places of their joints, and by their sides."""
    joints_px = hand.project(hand.joints_m)
    if not np.isfinite(joints_px).all():
        return 2 * _FARTHEST
    size_px = max(float(np.ptp(track.joints_px, axis=0).max()), 1.0)
    away = float(np.linalg.norm(joints_px - track.joints_px, axis=1).mean()) / size_px
    elsewhere = 1 - max(_overlap(joints_px, track.joints_px), _overlap(_corners_px(hand), track.corners_px))
    return elsewhere + min(away, 1.0) + _OTHER_SIDE * (hand.side != track.side)


def _corners_px(hand: PhotographedHand) -> Float[np.ndarray, "2 2"]:
    half_px = hand.square.size_px / 2
    centre_px = np.array(hand.square.centre_px)
    return np.stack((centre_px - half_px, centre_px + half_px))


def _overlap(first_px: Float[np.ndarray, "points 2"], second_px: Float[np.ndarray, "points 2"]) -> float:
    """Return the intersection of the boxes around two sets of points, over their union."""
    low = np.maximum(first_px.min(axis=0), second_px.min(axis=0))
    high = np.minimum(first_px.max(axis=0), second_px.max(axis=0))
    shared = float(np.clip(high - low, 0, None).prod())
    areas = (float(np.ptp(points, axis=0).prod()) for points in (first_px, second_px))
    return shared / max(sum(areas) - shared, 1e-9)
