"""Whether the labels of a data set are right hands in metres before their cameras, and of the hand model.

Labels that are less than meshes are looked at as far as they go: which hand it is, joints alone do not tell.
"""

import numpy as np
from jaxtyping import Bool

from shared.errors import ConfigError, DatasetError
from shared.freihand.reader import FreiHandSplit
from shared.hand_model import HandModel

MAX_REGRESSION_M = 0.015
"""Vertices in another order give centimetres; other definitions of the same joints a few millimetres."""
PALM_M = (0.03, 0.2)
"""From the wrist to the middle finger; a child's and a giant's."""
FOCAL_SIDES = (0.05, 1000.0)
"""Focal lengths that a camera can have, in sides of the photograph; crops make them long."""
_PALM = (0, 9)
_MAX_CENTRE_SIDES = 1000.0
_MIN_INSIDE = 0.5
"""Share of the joints that the photograph has to show."""
_RIGID = 0.5
"""Skinning weight from which a vertex belongs to the palm, which keeps its form."""
_AT_ONCE = 2048
_NAMED = 3

type _Mask = Bool[np.ndarray, " poses"]


def check_labels(split: FreiHandSplit, hand_model: HandModel, *, setting: str = "hand_model") -> None:
    """Make sure that every label is a mesh of this hand model, where its photograph can show it.

    The whole set is looked at, in about a second for FreiHAND.

    Args:
        split: Has the labels.
        hand_model: Whose meshes they should be.
        setting: What the user sets to choose the hand model: a key, or the option of a command.

    Raises:
        ConfigError: Their number of vertices differs, or their order: joints regressed from the vertices
            are then far from the labelled joints.
        DatasetError: A camera is none, or a hand is in other units, behind it, outside of the photograph, or
            a left one.
    """
    if split.labels == "keypoints":
        _refuse(split, {"joints in the photographs, each known or not": _is_nowhere(split)})
        return
    if split.labels == "mesh":
        _check_meshes_count(split, hand_model, setting)
    unusable = {
        "cameras with focal lengths and a principal point": _is_no_camera(split),
        "hands in metres": _has_other_units(split),
        "hands in front of the camera": ~(split.joints_m[..., 2] > 0).all(axis=1),
        "hands that the photograph shows": _is_outside(split),
    }
    _refuse(split, unusable)
    if split.labels == "mesh":
        _check_meshes(split, hand_model, setting)


def _advice(setting: str) -> str:
    return f"Set {setting} to the model that the labels were made with."


def _refuse(split: FreiHandSplit, unusable: dict[str, _Mask]) -> None:
    for wanted, mask in unusable.items():
        if mask.any():
            raise DatasetError(
                f"{split.root}: expected {wanted}, found {_which(mask)} otherwise.",
                remedy="Correct these labels, or leave the photographs out.",
            )


def _check_meshes_count(split: FreiHandSplit, hand_model: HandModel, setting: str) -> None:
    if split.verts_m.shape[1] != hand_model.num_verts:
        raise ConfigError(
            (
                f"{split.root}: expected meshes of {hand_model.num_verts} vertices as in the hand model "
                f"{hand_model.name}, found {split.verts_m.shape[1]}."
            ),
            remedy=_advice(setting),
        )


def _check_meshes(split: FreiHandSplit, hand_model: HandModel, setting: str) -> None:
    distances_m, mirrored = _compare_meshes(split, hand_model)
    far = distances_m > MAX_REGRESSION_M
    if far.any():
        raise ConfigError(
            (
                f"{split.root}: expected joints within {1000 * MAX_REGRESSION_M:.0f} mm of "
                f"those that the hand model {hand_model.name} regresses from the vertices, found "
                f"{1000 * distances_m.max():.0f} mm, and {_which(far)} farther away."
            ),
            remedy=_advice(setting),
        )
    if mirrored.any():
        raise DatasetError(
            f"{split.root}: expected right hands, found {_which(mirrored)} left.",
            remedy="Mirror photographs and labels of the left ones.",
        )


def _is_no_camera(split: FreiHandSplit) -> _Mask:
    k, side_px = split.intrinsics.astype(np.float64), split.image_px
    focal_sides, centre_sides = k[:, (0, 1), (0, 1)] / side_px, k[:, :2, 2] / side_px
    low, high = FOCAL_SIDES
    fits = ((focal_sides > low) & (focal_sides < high)).all(axis=1)
    fits &= (np.abs(centre_sides) < _MAX_CENTRE_SIDES).all(axis=1)
    fits &= (k[:, 2] == (0, 0, 1)).all(axis=1) & (k[:, 1, 0] == 0) & (np.abs(k[:, 0, 1]) < k[:, 0, 0])
    unfit: _Mask = ~fits
    return unfit


def _has_other_units(split: FreiHandSplit) -> _Mask:
    wrist_m, finger_m = (split.joints_m[:, joint] for joint in _PALM)
    palm_m = np.linalg.norm(finger_m - wrist_m, axis=1)
    other: _Mask = ~((palm_m > PALM_M[0]) & (palm_m < PALM_M[1]))
    return other


def _is_nowhere(split: FreiHandSplit) -> _Mask:
    """Tell of which hands no joint is known, or mostly such as the photograph does not show."""
    keypoints = split.keypoints
    known = keypoints[..., 2] > 0
    inside = ((keypoints[..., :2] >= -0.5) & (keypoints[..., :2] <= split.image_px - 0.5)).all(axis=2)
    nowhere: _Mask = (known & inside).sum(axis=1) < _MIN_INSIDE * np.maximum(known.sum(axis=1), 1)
    return nowhere | (keypoints[..., 2] < 0).any(axis=1)


def _is_outside(split: FreiHandSplit) -> _Mask:
    """Tell which hands are mostly outside of their photograph; all of them are before the camera."""
    points = np.einsum("pij,pkj->pki", split.intrinsics.astype(np.float64), split.joints_m)
    places_px = points[..., :2] / np.maximum(points[..., 2:], 1e-9)
    inside = ((places_px >= -0.5) & (places_px <= split.image_px - 0.5)).all(axis=2)
    mostly_outside: _Mask = inside.mean(axis=1) < _MIN_INSIDE
    return mostly_outside


def _compare_meshes(split: FreiHandSplit, hand_model: HandModel) -> tuple[np.ndarray, _Mask]:
    """Return the mean distance of the joints to those of the mesh, and whether the palm is a mirror image.

    Of the two rigid motions that take one palm best onto another, the one with a reflection fits better if
    the determinant of their covariance is negative.
    """
    palm = np.flatnonzero(hand_model.skin_weights[:, 0] > _RIGID)
    template_m = hand_model.template_m[palm] - hand_model.template_m[palm].mean(axis=0)
    distances_m, mirrored = np.empty(split.num_poses), np.empty(split.num_poses, dtype=bool)
    for start in range(0, split.num_poses, _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        verts_m = split.verts_m[rows]
        regressed_m = np.einsum("jv,pvc->pjc", hand_model.joint_regressor, verts_m, optimize=True)
        distances_m[rows] = np.linalg.norm(regressed_m - split.joints_m[rows], axis=-1).mean(axis=1)
        palms_m = verts_m[:, palm] - verts_m[:, palm].mean(axis=1, keepdims=True)
        covariances = np.einsum("vi,pvj->pij", template_m, palms_m, optimize=True)
        mirrored[rows] = np.linalg.det(covariances.astype(np.float64)) < 0
    return distances_m, mirrored


def _which(mask: _Mask) -> str:
    """Say how many, and name the first ones."""
    rows = np.flatnonzero(mask)
    names = ", ".join(f"{row:08d}" for row in rows[:_NAMED].tolist())
    return f"{len(rows)} of {len(mask)} ({names}{', …' if len(rows) > _NAMED else ''})"
