"""Pose and shape of a mesh: the parameters that bring the hand model closest to it, and how close that is.

Gauss-Newton on all vertices, in NumPy and without smplx. The derivatives of skinning are written out; those
of the corrections that a pose adds to the template (MANO has some, the open hand none) are left out of the
steps, not out of the result.
"""

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from shared.hand_model import HandModel
from shared.hand_model.left_hand import MIRROR, TURN_MIRROR
from shared.types import Side

type Verts = Float[np.ndarray, "verts 3"]

_JOINTS: Final = 16
_STRIDE: Final = 3
"""Every so many vertices are fitted; the residual is over all of them."""
_MOST_STEPS: Final = 12
_LEAST_GAIN_M: Final = 2e-6
"""A step that lowers the mean distance by less is the last one."""
_POSE_DOUBT: Final = 1e-8
_SHAPE_DOUBT: Final = 1e-8
"""What a squared radian, and a squared standard deviation of shape, cost in square metres a vertex: enough
to decide what the mesh leaves open, such as the twist of a straight finger."""


class FittedPose(NamedTuple):
    """Parameters of the hand model of one side, and how well they describe the mesh.

    With them, the model's mesh is ``pose(pose_rad, shape) + shift_m``: for a right hand by
    `trainer.hands.posing.PosedHand`. A left hand's model is the right one in a mirror.

    Attributes:
        pose_rad: Axis-angle of the whole hand about its wrist, then of joints 1 to 15, relative to the
            model's mean pose; FreiHAND's and MANO's order.
        shape: Coefficients in standard deviations.
        shift_m: Where the template's origin is.
        residual_mm: Mean distance between the vertices of both meshes.
    """

    pose_rad: Float[np.ndarray, " 48"]
    shape: Float[np.ndarray, " shapes"]
    shift_m: Float[np.ndarray, " 3"]
    residual_mm: float


def fit_pose(verts_m: Verts, hand_model: HandModel, *, side: Side = "right") -> FittedPose:
    """Return the parameters of a mesh of the hand model.

    Args:
        verts_m: Its vertices, in any frame that is not mirrored.
        hand_model: A right hand.
        side: Which hand the mesh is.
    """
    solver = _solver(hand_model)
    if side == "right":
        return solver.fit(verts_m.astype(np.float64))
    right = solver.fit(verts_m.astype(np.float64) * MIRROR)
    pose_rad = right.pose_rad * np.tile(TURN_MIRROR, _JOINTS)
    return right._replace(pose_rad=pose_rad, shift_m=right.shift_m * MIRROR)


@lru_cache(maxsize=2)
def _solver(hand_model: HandModel) -> "_Solver":
    return _Solver(hand_model)


class _Guess(NamedTuple):
    """Where a fit stands; rotations are those of the joints' own, absolute and without the mean pose."""

    turns: Float[np.ndarray, "16 3 3"]
    shape: Float[np.ndarray, " shapes"]
    shift_m: Float[np.ndarray, " 3"]


class _Posed(NamedTuple):
    """A mesh, and what its derivatives need.

    `bone_verts_m` are all vertices as each bone alone would move them; `frames` turn bones into its axes.
    """

    verts_m: Verts
    bone_verts_m: Float[np.ndarray, "16 verts 3"]
    frames: Float[np.ndarray, "16 3 3"]
    joints_m: Float[np.ndarray, "16 3"]


class _Skin(NamedTuple):
    """Some vertices of the hand model."""

    template_m: Verts
    shape_dirs: Float[np.ndarray, "verts 3 shapes"]
    pose_dirs: Float[np.ndarray, "verts 3 135"]
    weights: Float[np.ndarray, "16 verts"]


class _Solver:
    """What a fit needs of a hand model, prepared once."""

    def __init__(self, model: HandModel) -> None:
        self._all = _Skin(
            model.template_m.astype(np.float64),
            model.shape_dirs.astype(np.float64),
            model.pose_dirs.astype(np.float64),
            model.skin_weights.T.astype(np.float64),
        )
        self._some = _Skin(
            self._all.template_m[::_STRIDE],
            self._all.shape_dirs[::_STRIDE],
            self._all.pose_dirs[::_STRIDE],
            self._all.weights[:, ::_STRIDE].copy(),
        )
        self._has_corrections = bool(np.any(model.pose_dirs))
        self._parents = model.parents
        self._mean_pose = model.mean_pose.astype(np.float64)
        self._moves = _descendants(model.parents)
        self._num_shapes = model.num_shapes
        regressor = model.skin_joint_regressor.astype(np.float64)
        self._joints_m = regressor @ self._all.template_m
        self._joint_dirs = np.einsum("jv,vcs->jcs", regressor, self._all.shape_dirs)

    def fit(self, verts_m: Verts) -> FittedPose:
        targets_m = verts_m[::_STRIDE]
        guess = self._start(verts_m)
        posed = self._pose(guess, self._some)
        best, distance_m = guess, _mean_distance(posed.verts_m, targets_m)
        for _ in range(_MOST_STEPS):
            guess = self._step(best, posed, targets_m)
            posed = self._pose(guess, self._some)
            now_m = _mean_distance(posed.verts_m, targets_m)
            if now_m < distance_m:
                gain_m, best, distance_m = distance_m - now_m, guess, now_m
                if gain_m > _LEAST_GAIN_M:
                    continue
            break
        turns = Rotation.from_matrix(best.turns).as_rotvec().ravel()
        turns[3:] -= self._mean_pose
        residual_mm = 1000 * _mean_distance(self._pose(best, self._all).verts_m, verts_m)
        return FittedPose(turns, best.shape, best.shift_m, residual_mm)

    def _start(self, verts_m: Verts) -> _Guess:
        """Turn every bone of the mean hand onto its part of the mesh, as a rigid body."""
        skin, targets_m = self._some, verts_m[::_STRIDE]
        wholes = _rotations_between(skin.template_m, targets_m, skin.weights)
        turns = np.array(
            [
                wholes[joint] if parent < 0 else wholes[parent].T @ wholes[joint]
                for joint, parent in enumerate(self._parents)
            ]
        )
        guess = _Guess(turns, np.zeros(self._num_shapes), np.zeros(3))
        return guess._replace(shift_m=(targets_m - self._pose(guess, skin).verts_m).mean(axis=0))

    def _pose(self, guess: _Guess, skin: _Skin) -> _Posed:
        """Skin the template; what every bone does alone is kept for the derivatives."""
        shaped_m = skin.template_m + skin.shape_dirs @ guess.shape
        rest_m = self._joints_m + self._joint_dirs @ guess.shape
        if self._has_corrections:
            shaped_m = shaped_m + skin.pose_dirs @ (guess.turns[1:] - np.eye(3)).ravel()
        frames = np.empty((_JOINTS, 3, 3))
        joints_m = np.empty((_JOINTS, 3))
        for joint, parent in enumerate(self._parents):
            if parent < 0:
                frames[joint], joints_m[joint] = guess.turns[joint], rest_m[joint] + guess.shift_m
            else:
                frames[joint] = frames[parent] @ guess.turns[joint]
                joints_m[joint] = joints_m[parent] + frames[parent] @ (rest_m[joint] - rest_m[parent])
        from_joint_m = shaped_m[None] - rest_m[:, None]
        bone_verts_m = from_joint_m @ frames.transpose(0, 2, 1) + joints_m[:, None]
        verts_m = np.einsum("jv,jvc->vc", skin.weights, bone_verts_m)
        return _Posed(verts_m, bone_verts_m, frames, joints_m)

    def _step(self, guess: _Guess, posed: _Posed, verts_m: Verts) -> _Guess:
        num_verts = len(verts_m)
        jacobian = np.concatenate(
            (self._by_turns(posed), self._by_shape(posed), self._by_shift(num_verts)), axis=2
        )
        flat = jacobian.reshape(3 * num_verts, -1)
        doubt = np.zeros(flat.shape[1])
        doubt[: 3 * _JOINTS] = num_verts * _POSE_DOUBT
        shapes = slice(3 * _JOINTS, 3 * _JOINTS + self._num_shapes)
        doubt[shapes] = num_verts * _SHAPE_DOUBT
        towards = flat.T @ (verts_m - posed.verts_m).ravel()
        towards[shapes] -= doubt[shapes] * guess.shape
        change = np.linalg.solve(flat.T @ flat + np.diag(doubt), towards)
        # Turns are about the mesh's axes: R' = exp(w) R, in the frame of the parent.
        turned = Rotation.from_rotvec(change[: 3 * _JOINTS].reshape(_JOINTS, 3)).as_matrix()
        turns = np.array(
            [
                (
                    turned[joint]
                    if parent < 0
                    else posed.frames[parent].T @ turned[joint] @ posed.frames[parent]
                )
                @ guess.turns[joint]
                for joint, parent in enumerate(self._parents)
            ]
        )
        return _Guess(turns, guess.shape + change[shapes], guess.shift_m + change[-3:])

    def _by_turns(self, posed: _Posed) -> Float[np.ndarray, "verts 3 turns"]:
        """Return how vertices move as joints turn: turn times arm, for what hangs on the joint."""
        weighted = self._some.weights[..., None] * posed.bone_verts_m
        held = np.einsum("jb,bvc->jvc", self._moves, weighted)
        share = self._moves @ self._some.weights
        arms = held - share[..., None] * posed.joints_m[:, None]  # 16 x verts x 3
        x, y, z = np.moveaxis(arms, 2, 0)
        zero = np.zeros_like(x)
        crossed = np.array(
            [[zero, z, -y], [-z, zero, x], [y, -x, zero]]
        )  # d(w x arm)/dw, rows are coordinates
        return crossed.transpose(3, 0, 2, 1).reshape(len(x[0]), 3, 3 * _JOINTS)

    def _by_shape(self, posed: _Posed) -> Float[np.ndarray, "verts 3 shapes"]:
        """Return how vertices move with the shape: themselves, and the joints that carry them."""
        joint_moves = np.empty_like(self._joint_dirs)
        for joint, parent in enumerate(self._parents):
            joint_moves[joint] = (
                self._joint_dirs[joint]
                if parent < 0
                else joint_moves[parent]
                + posed.frames[parent] @ (self._joint_dirs[joint] - self._joint_dirs[parent])
            )
        mean_frames = np.einsum("jv,jab->vab", self._some.weights, posed.frames)
        offsets = joint_moves - posed.frames @ self._joint_dirs
        carried = np.einsum("jv,jcs->vcs", self._some.weights, offsets)
        moves: Float[np.ndarray, "verts 3 shapes"] = mean_frames @ self._some.shape_dirs + carried
        return moves

    def _by_shift(self, num_verts: int) -> Float[np.ndarray, "verts 3 3"]:
        return np.broadcast_to(np.eye(3), (num_verts, 3, 3))


def _descendants(parents: tuple[int, ...]) -> Float[np.ndarray, "16 16"]:
    """Return a 1 where the bone of a column turns with the joint of a row."""
    moves: Float[np.ndarray, "16 16"] = np.eye(_JOINTS)
    for joint in range(_JOINTS):
        parent = parents[joint]
        while parent >= 0:
            moves[parent, joint] = 1
            parent = parents[parent]
    return moves


def _rotations_between(
    points_m: Verts, targets_m: Verts, weights: Float[np.ndarray, "16 verts"]
) -> Float[np.ndarray, "16 3 3"]:
    """Return the rotations that bring points, weighted in 16 ways, closest to their targets (Kabsch)."""
    shares = weights / weights.sum(axis=1, keepdims=True)
    centred = points_m - (shares @ points_m)[:, None]
    covariance = (shares[..., None] * centred).transpose(0, 2, 1) @ (
        targets_m - (shares @ targets_m)[:, None]
    )
    left, _, right = np.linalg.svd(covariance)
    left[:, :, 2] *= np.sign(np.linalg.det(left @ right))[:, None]
    return (left @ right).transpose(0, 2, 1)


def _mean_distance(verts_m: Verts, targets_m: Verts) -> float:
    return float(np.linalg.norm(verts_m - targets_m, axis=1).mean())
