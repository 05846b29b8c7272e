"""Assemble the model: mesh, shapes, joints, axes, poses; then check what it promises."""

import hashlib

import numpy as np
from jaxtyping import Float64
from scipy.spatial.transform import Rotation

from shared.hand_model.model import FINGER_CHAINS, Anatomy
from shared.skeleton import JOINT_NAMES
from tools.open_hand.anatomy import joint_axes, joint_limits_deg
from tools.open_hand.decimate import decimate
from tools.open_hand.people import People, draw_people, without_small_shares
from tools.open_hand.regressors import fit_convex_row
from tools.open_hand.skinned_hand import SkinnedHand
from tools.open_hand.skinning import PARENTS, skin
from tools.open_hand.straighten import straighten
from trainer.hands.pose_prior import rotation_vectors, sample_angles

_NUM_VERTS, _NUM_RIM_VERTS, _NUM_SHAPES = 778, 16, 10

_FACES_SHA256 = "2a4f2ddc15fb7a16c17630850cb737f3d92151d2d17d2a8dbcf52fe67670a9d7"
"""Of the faces as int32. Real photographs were labelled with meshes in this order of vertices; another, which
a rounding error in the decimation could bring about, must not be published under the same name."""

_DECIMATION_POSES_DEG = (
    ((0, 0, 0, 0, 0),) * 5,
    (
        (10, -17, -2, 20, 40),
        (75, -8, 0, 95, 55),
        (80, 0, 0, 95, 55),
        (80, 10, 0, 95, 55),
        (80, 18, 0, 95, 55),
    ),
    ((13, -22, -2, 35, 45), *((40, 0, 0, 50, 30),) * 4),
)
"""A flat hand, a fist, and half of one, in the form of `trainer.hands.pose_prior.Angles`."""

_LEARNT_POSES, _FITTED_POSES, _CHECKED_POSES = 20_000, 400, 200
_LARGEST_JOINT_ERROR_M = 0.001


class BuildError(Exception):
    """The model is not what it has to be."""


def build_fields() -> dict[str, np.ndarray]:
    """Return MANO's fields and ours; the same on every call.

    Raises:
        BuildError: The mesh came out in another order, or the regressed joints leave the skeleton.
    """
    people, finger_ends = _decimated(*straighten(draw_people()))
    hand = _skinned_hand(people, finger_ends)
    ends_m = {finger: hand.template_m[vertex] for finger, vertex in finger_ends.items()}
    anatomy = Anatomy(axes=joint_axes(hand.joints_m, ends_m), limits_rad=np.deg2rad(joint_limits_deg()))
    rng = np.random.default_rng(0)
    turns = np.stack([rotation_vectors(anatomy, sample_angles(rng)) for _ in range(_LEARNT_POSES)])
    joint_regressor = _fit_joint_regressor(hand, turns[:_FITTED_POSES], rng)
    _check_joints(hand, joint_regressor, turns[-_CHECKED_POSES:], rng)
    parents_and_joints = np.array([PARENTS, range(16)])
    return {
        "name": np.array("open_hand"),
        "v_template": hand.template_m.astype(np.float32),
        "f": hand.faces.astype(np.uint32),
        "shapedirs": hand.shape_dirs.astype(np.float32),
        "posedirs": np.zeros((_NUM_VERTS, 3, 135), np.float32),
        "weights": hand.weights.astype(np.float32),
        "J_regressor": hand.rest_regressor.astype(np.float32),
        "kintree_table": parents_and_joints.astype(np.uint32),
        "hands_mean": np.zeros(45, np.float32),
        "hands_components": _principal_poses(turns).astype(np.float32),
        "joint_regressor": joint_regressor.astype(np.float32),
        "joint_axes": anatomy.axes.astype(np.float32),
        "joint_limits_deg": joint_limits_deg().astype(np.float32),
    }


def _decimated(people: People, ends: dict[str, int]) -> tuple[People, dict[str, int]]:
    """Reduce the mesh of all people alike, judging by the mean hand in three poses.

    Args:
        people: Straight hands.
        ends: The vertex at the end of each finger, whose nearest new vertex is returned.
    """
    verts_m, joints_m = people.verts_m.mean(0), people.joints_m.mean(0)
    axes = joint_axes(joints_m, {finger: verts_m[vertex] for finger, vertex in ends.items()})
    anatomy = Anatomy(axes=axes, limits_rad=np.deg2rad(joint_limits_deg()))
    turns = np.stack([rotation_vectors(anatomy, np.array(pose)) for pose in _DECIMATION_POSES_DEG])
    rotations = Rotation.from_rotvec(turns.reshape(-1, 3)).as_matrix().reshape(-1, 16, 3, 3)
    batch = (len(rotations), 1, 1)
    poses_m, _ = skin(np.tile(verts_m, batch), np.tile(joints_m, batch), people.weights, rotations)
    mesh = decimate(people.faces, poses_m, num_verts=_NUM_VERTS, num_rim_verts=_NUM_RIM_VERTS)
    found = hashlib.sha256(mesh.faces.astype("<i4").tobytes()).hexdigest()
    if found != _FACES_SHA256:
        raise BuildError(
            f"faces: expected the order {_FACES_SHA256}, found {found}. Keep the published file."
        )
    distances = np.linalg.norm((mesh.mixture @ verts_m)[:, None] - verts_m[list(ends.values())], axis=-1)
    smaller = People(
        verts_m=np.einsum("vo,noc->nvc", mesh.mixture, people.verts_m, optimize=True),
        joints_m=people.joints_m,
        faces=mesh.faces,
        weights=without_small_shares(mesh.mixture @ people.weights, least=0.01),
    )
    return smaller, dict(zip(ends, distances.argmin(0).tolist(), strict=True))


def _skinned_hand(people: People, finger_ends: dict[str, int]) -> SkinnedHand:
    """Find the joints of the decimated hands, and the principal components of their shapes."""
    rest_regressor = np.stack(
        [fit_convex_row(people.verts_m[::8], people.joints_m[::8, j], candidates=60) for j in range(16)]
    )
    origin = rest_regressor[FINGER_CHAINS["middle"][0]]
    verts_m = people.verts_m - np.einsum("v,nvc->nc", origin, people.verts_m)[:, None]
    template_m = verts_m.mean(0)
    _, spread, components = np.linalg.svd(
        (verts_m - template_m).reshape(len(verts_m), -1), full_matrices=False
    )
    shapes = components[:_NUM_SHAPES] * (spread[:_NUM_SHAPES, None] / np.sqrt(len(verts_m) - 1))
    shape_dirs = shapes.reshape(_NUM_SHAPES, _NUM_VERTS, 3).transpose(1, 2, 0)
    lengthening = (shape_dirs[:, 0] * np.sign(template_m[:, :1])).sum(0)
    return SkinnedHand(
        template_m=template_m,
        faces=people.faces,
        shape_dirs=shape_dirs * np.sign(lengthening),  # positive is a longer hand
        weights=people.weights,
        rest_regressor=rest_regressor,
        finger_ends=finger_ends,
    )


def _fit_joint_regressor(
    hand: SkinnedHand, turns: Float64[np.ndarray, "poses 16 3"], rng: np.random.Generator
) -> Float64[np.ndarray, "21 verts"]:
    verts_m, truth_m = hand.posed(turns, rng.standard_normal((len(turns), _NUM_SHAPES)))
    return np.stack([fit_convex_row(verts_m, truth_m[:, j], candidates=120) for j in range(truth_m.shape[1])])


def _check_joints(
    hand: SkinnedHand,
    joint_regressor: Float64[np.ndarray, "21 verts"],
    turns: Float64[np.ndarray, "poses 16 3"],
    rng: np.random.Generator,
) -> None:
    """Compare joints regressed from new posed hands with the skeleton's."""
    verts_m, truth_m = hand.posed(turns, rng.standard_normal((len(turns), _NUM_SHAPES)))
    errors_m = np.linalg.norm(np.einsum("jv,nvc->njc", joint_regressor, verts_m) - truth_m, axis=-1).mean(0)
    for name, error_m in zip(JOINT_NAMES, errors_m, strict=True):
        print(f"{name:14} regressed within {1e3 * error_m:.2f} mm on the mean")
    if errors_m.max() > _LARGEST_JOINT_ERROR_M:
        raise BuildError(f"{JOINT_NAMES[errors_m.argmax()]}: expected at most 1 mm, found more.")


def _principal_poses(turns: Float64[np.ndarray, "poses 16 3"]) -> Float64[np.ndarray, "45 45"]:
    """Return directions of pose, each one standard deviation long."""
    poses = turns[:, 1:].reshape(len(turns), 45)
    _, spread, components = np.linalg.svd(poses - poses.mean(0), full_matrices=False)
    deviations = components * (spread[:, None] / np.sqrt(len(poses) - 1))
    # Joints that never twist leave noise, even in the sign of zero, which is not the same for every machine.
    return np.round(deviations, 7) + 0.0
