"""One hand that moves: the labels of every frame of a film, to measure jitter and lag by.

It rests for a second, then changes pose and view, and wanders, ever faster; and all over again, elsewhere.
"""

from dataclasses import replace
from functools import lru_cache
from typing import Final

import numpy as np
import torch
from jaxtyping import Float
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation, Slerp

from shared.camera import project_px
from shared.freihand import LabelledHand
from shared.hand_model import HandModel
from shared.seeds import rng_of
from trainer.hands.pose_prior import sample_pose
from trainer.hands.posing import PosedHand
from trainer.hands.sampled import labelled_hand

REST_FRAMES: Final = 30
_MOVES_FRAMES: Final = (30, 24, 18, 12, 8, 8)
"""Frames from one pose to the next, so that every act ends faster than it began."""
ACT_FRAMES: Final = REST_FRAMES + sum(_MOVES_FRAMES)
_WANDERING_M: Final = (0.03, 0.03, 0.02)
_TURNING_DEG: Final = 22.0
_ROOT: Final = 9
"""The joint whose place and depth FreiHAND's parameters state."""


def moving_hand(model: HandModel, index: int, *, seed: int) -> LabelledHand:
    """Return a frame of the film; the same arguments always give the same frame.

    Args:
        model: Any hand model.
        index: Number of the frame.
        seed: Of the film.
    """
    act, frame = divmod(index, ACT_FRAMES)
    return _act(model, act, seed).frame(frame, index)


def is_at_rest(index: int) -> bool:
    """Tell whether the hand of a frame is where it was in the frame before."""
    return 0 < index % ACT_FRAMES < REST_FRAMES


@lru_cache(maxsize=4)
def _act(model: HandModel, act: int, seed: int) -> "_Act":
    return _Act(model, act, seed)


class _Act:
    """A hand between two rests: its poses, its turns and its way, as functions of time."""

    def __init__(self, model: HandModel, act: int, seed: int) -> None:
        rng = rng_of("moving hand", seed, act)
        self._posed_hand = PosedHand(model)
        first = labelled_hand(model, int(rng.integers(1 << 30)), seed=seed, view_sd_deg=25.0)
        self._first = first
        self._shape = first.mano[48:58]
        num_keys = len(_MOVES_FRAMES) + 1
        poses = np.stack([first.mano[3:48], *(sample_pose(model, rng) for _ in range(num_keys - 1))])
        absolute = (poses + model.mean_pose).reshape(num_keys, 15, 3)
        self._mean_pose = model.mean_pose
        views = [Rotation.from_rotvec(first.mano[:3])]
        for _ in range(num_keys - 1):
            change = Rotation.from_rotvec(rng.normal(scale=_TURNING_DEG, size=3), degrees=True)
            views.append(change * views[0])
        times = np.cumsum([0, *_MOVES_FRAMES]).astype(float)
        self._views = Slerp(times, Rotation.concatenate(views))
        self._joints = [Slerp(times, Rotation.from_rotvec(absolute[:, joint])) for joint in range(15)]
        offsets_m = np.concatenate([np.zeros((1, 3)), rng.normal(scale=_WANDERING_M, size=(num_keys - 1, 3))])
        self._way = CubicSpline(times, offsets_m, bc_type="clamped")
        self._times = times

    def frame(self, frame: int, index: int) -> LabelledHand:
        """Return the labels of a frame of the act."""
        time = _eased(max(0, frame - REST_FRAMES + 1), self._times)
        view = self._views(time).as_rotvec()
        fingers = np.concatenate([joint(time).as_rotvec() for joint in self._joints]) - self._mean_pose
        pose = np.concatenate([view, fingers]).astype(np.float32)
        with torch.no_grad():
            hand = self._posed_hand(torch.from_numpy(pose[None]), torch.from_numpy(self._shape[None].copy()))
        first = self._first
        verts_m, joints_m = hand.verts_m[0].numpy(), hand.joints_m[0].numpy()
        shift_m = first.joints_m[_ROOT] - joints_m[_ROOT] + self._way(time).astype(np.float32)
        joints_m = joints_m + shift_m
        root_px = project_px(joints_m, first.camera)[_ROOT]
        place = [*root_px, first.camera.fx_px / joints_m[_ROOT, 2]]
        return replace(
            first,
            index=index,
            verts_m=verts_m + shift_m,
            joints_m=joints_m,
            mano=np.concatenate([pose, self._shape, place]).astype(np.float32),
        )


def _eased(frame: float, times: Float[np.ndarray, " keys"]) -> float:
    """Return the time of a motion that stops at every key: slowly away, slowly there."""
    key = int(np.clip(np.searchsorted(times, frame, side="right") - 1, 0, len(times) - 2))
    start, end = float(times[key]), float(times[key + 1])
    share = float(np.clip((frame - start) / (end - start), 0, 1))
    return start + (end - start) * share * share * (3 - 2 * share)
