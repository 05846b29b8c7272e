"""Hands of a video without jitter: the One Euro filter on mesh, size and place of each."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from shared.hand_model import HandModel
from shared.skeleton import WRIST
from trainer.photographs.hand import PhotographedHand
from trainer.photographs.videos.one_euro import OneEuro, OneEuroSettings

MESH: Final = OneEuroSettings(rest_hz=0.5, per_speed=60.0)
"""Of vertices relative to the wrist, in metres."""
PLACE: Final = OneEuroSettings(rest_hz=0.5, per_speed=16.0)
"""Of the wrist in the picture, and of the size there, in lengths of a hand.

Both were chosen on a film with exact labels: they tremble little, and lag by half a frame (EXPERIMENTS.md).
"""

_HAND_M: Final = 0.18
_FORGOTTEN_S: Final = 1.0


class HandSmoother:
    """Smooths the hands of a video, each by itself.

    Args:
        hand_model: Whose meshes they are.
        mesh: Constants for vertices.
        place: Constants for place and size in the picture.
    """

    def __init__(
        self, hand_model: HandModel, *, mesh: OneEuroSettings = MESH, place: OneEuroSettings = PLACE
    ) -> None:
        self._regressor = hand_model.joint_regressor
        self._settings = (mesh, place)
        self._hands: dict[int, _Memory] = {}

    def smooth(self, hand: PhotographedHand, *, identity: int, time_s: float) -> PhotographedHand:
        """Return the hand as it should appear; a hand whose side has changed begins anew.

        Args:
            hand: What was predicted.
            identity: Which hand of the video it is.
            time_s: Of the frame.
        """
        self._hands = {
            known: memory for known, memory in self._hands.items() if time_s - memory.time_s <= _FORGOTTEN_S
        }
        memory = self._hands.get(identity)
        if memory is None or memory.side != hand.side:
            unit_px = max(hand.scale_px_per_m * _HAND_M, 1.0)
            mesh, place = (OneEuro(settings) for settings in self._settings)
            memory = _Memory(mesh, place, hand.side, unit_px, time_s)
            self._hands[identity] = memory
        passed_s, memory.time_s = time_s - memory.time_s, time_s
        verts_m = memory.mesh(hand.verts_m.astype(np.float64), passed_s=passed_s)
        x, y = hand.wrist_px
        size = np.log(hand.scale_px_per_m * _HAND_M / memory.unit_px)
        row = np.array([[x / memory.unit_px, y / memory.unit_px, size]])
        x, y, size = memory.place(row, passed_s=passed_s)[0].tolist()
        return self._assembled(hand, verts_m, memory.unit_px * np.array([x, y, np.exp(size) / _HAND_M]))

    def _assembled(self, hand: PhotographedHand, verts_m: np.ndarray, place: np.ndarray) -> PhotographedHand:
        """Put the wrist back to the origin, without moving anything in the picture."""
        x, y, scale_px_per_m = place.tolist()
        joints_m = self._regressor @ verts_m
        wrist_m = joints_m[WRIST]
        return replace(
            hand,
            verts_m=(verts_m - wrist_m).astype(np.float32),
            joints_m=(joints_m - wrist_m).astype(np.float32),
            scale_px_per_m=scale_px_per_m,
            wrist_px=(x + scale_px_per_m * float(wrist_m[0]), y + scale_px_per_m * float(wrist_m[1])),
        )


@dataclass(slots=True, eq=False)
class _Memory:
    mesh: OneEuro
    place: OneEuro
    side: str
    unit_px: float
    time_s: float
