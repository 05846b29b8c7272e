"""Hand, arm, and occluder as one mesh, without Blender."""

import numpy as np
import pytest
import trimesh
from scipy.spatial import cKDTree

from render_worker.dataset.body import ARM, CLOTH, HAND, OTHER_HAND, THING, Body, Other, pose_body
from render_worker.dataset.forearm import ArmShape, choose_arm
from render_worker.dataset.occluder import choose_occluder
from render_worker.dataset.skin_map import SkinMap
from render_worker.dataset.subdivision import Subdivision
from render_worker.picture.mesh import CappedMesh
from shared.freihand import LabelledHand
from shared.skeleton import FINGERS, TIPS, WRIST
from tests.support.small_scene import open_hand
from trainer.hands.sampled import labelled_hand

MESH = CappedMesh.of(open_hand())


def hand(index: int) -> LabelledHand:
    return labelled_hand(open_hand(), seed=0, index=index)


def figure(index: int, *, arm: ArmShape | None = None, thing: int | None = None) -> Body:
    labelled = hand(index)
    hides = None
    if thing is not None:
        hides = choose_occluder(labelled.verts_m, labelled.joints_m, np.random.default_rng(thing))
    return pose_body(MESH, labelled.verts_m, labelled.joints_m, arm=arm, thing=hides)


@pytest.mark.parametrize("index", range(3))
def test_a_labelled_vertex_stays_where_it_is_whatever_is_added(index: int) -> None:
    posed = figure(index, arm=choose_arm(np.random.default_rng(index)), thing=index)
    verts_m = hand(index).verts_m
    np.testing.assert_array_equal(posed.verts_m[: len(verts_m)], verts_m)
    assert (posed.parts[: len(verts_m), HAND] == 1).all()


@pytest.mark.parametrize("seed", range(6))
def test_hand_and_arm_are_one_closed_surface_that_looks_outwards(seed: int) -> None:
    posed = figure(seed, arm=choose_arm(np.random.default_rng(seed)))
    solid = trimesh.Trimesh(posed.verts_m, posed.mesh.faces, process=False)
    assert solid.is_watertight
    assert solid.is_winding_consistent
    assert solid.volume > 0
    assert (posed.parts[:, ARM] + posed.parts[:, CLOTH]).sum() > 1000


def test_the_arm_leads_away_from_the_fingers() -> None:
    posed, joints_m = figure(0, arm=ArmShape()), hand(0).joints_m
    arm_m = posed.verts_m[posed.parts[:, ARM] == 1]
    near = arm_m[np.linalg.norm(arm_m - joints_m[WRIST], axis=1) < 0.15].mean(axis=0) - joints_m[WRIST]
    fingers = joints_m[FINGERS["middle"][0]] - joints_m[WRIST]
    assert near @ fingers / np.linalg.norm(near) / np.linalg.norm(fingers) < -0.9


def test_a_sleeve_begins_where_it_should() -> None:
    posed = figure(0, arm=ArmShape(sleeve_m=0.1))
    wrist_m = hand(0).verts_m[MESH.rim].mean(axis=0)
    cloth_m = np.linalg.norm(posed.verts_m[posed.parts[:, CLOTH] > 0.5] - wrist_m, axis=1)
    assert 0.09 < cloth_m.min() < 0.12


@pytest.mark.parametrize("seed", range(5))
def test_an_object_is_nearer_to_the_camera_than_all_of_the_hand(seed: int) -> None:
    posed = figure(1, thing=seed)
    is_thing = posed.parts[:, THING] == 1
    assert is_thing.sum() > 500
    assert posed.verts_m[is_thing, 2].min() > 0
    assert posed.verts_m[is_thing, 2].max() < hand(1).verts_m[:, 2].min()


def test_splitting_a_ball_makes_it_rounder_and_keeps_it_closed() -> None:
    ball = trimesh.creation.icosphere(subdivisions=1)
    splits = Subdivision.of(CappedMesh.closed(ball.faces.astype(np.int32)), splits=2)
    verts = splits.round_off(ball.vertices.astype(np.float32))
    assert len(splits.finest.faces) == 16 * len(ball.faces)
    assert trimesh.Trimesh(verts, splits.finest.faces, process=False).is_watertight
    flat = splits.refine(ball.vertices.astype(np.float32))
    assert np.linalg.norm(flat, axis=1).min() < 0.94
    np.testing.assert_allclose(np.linalg.norm(verts, axis=1), 1, atol=0.025)


def test_triangles_that_are_split_more_often_than_their_neighbours_leave_no_gap() -> None:
    """However the two meet: sides of one, two, and three neighbours are split at once somewhere."""
    ball = trimesh.creation.icosphere(subdivisions=2)
    often = np.random.default_rng(0).integers(0, 3, len(ball.faces))
    splits = Subdivision.of(CappedMesh.closed(ball.faces.astype(np.int32)), splits=often)
    solid = trimesh.Trimesh(
        splits.round_off(ball.vertices.astype(np.float32)), splits.finest.faces, process=False
    )
    assert solid.is_watertight
    assert solid.is_winding_consistent
    assert len(ball.faces) < len(solid.faces) < 16 * len(ball.faces)
    assert solid.volume == pytest.approx(4 / 3 * np.pi, rel=0.02)


@pytest.fixture(scope="module")
def skin_map() -> SkinMap:
    return figure(0, arm=ArmShape()).skin_map


def test_there_are_five_nails_at_the_backs_of_the_fingertips(skin_map: SkinMap) -> None:
    joints_m = (open_hand().joint_regressor @ open_hand().template_m)[list(TIPS)]
    places_m, palm = skin_map.place_m[skin_map.nail > 0.5], skin_map.palm[skin_map.nail > 0.5]
    nearest = np.linalg.norm(places_m[:, None] - joints_m, axis=2)
    assert nearest.min(axis=1).max() < 0.02
    assert (np.bincount(nearest.argmin(axis=1), minlength=5) >= 8).all()
    assert palm.max() < 0.3


def test_creases_lie_in_the_palm_and_across_the_fingers(skin_map: SkinMap) -> None:
    is_line = skin_map.crease > 0.5
    assert 0.01 < is_line.mean() < 0.15
    assert skin_map.palm[is_line].mean() > 0.4


def with_other(index: int) -> Body:
    """A hand with another of the set, and both their arms."""
    first, second = hand(index), hand(index + 100)
    other = Other(second.verts_m, second.joints_m, np.random.default_rng(index))
    arm = choose_arm(np.random.default_rng(index))
    return pose_body(MESH, first.verts_m, first.joints_m, arm=arm, other=other)


def test_a_second_hand_is_a_left_one_that_looks_outwards_and_keeps_its_distance() -> None:
    found = 0
    for index in range(10):
        posed, labelled = with_other(index), hand(index)
        np.testing.assert_array_equal(posed.verts_m[: len(labelled.verts_m)], labelled.verts_m)
        assert (posed.parts[: len(labelled.verts_m), HAND] == 1).all()
        if not posed.parts[:, OTHER_HAND].any():
            continue
        found += 1
        corners = posed.parts[posed.mesh.faces][..., OTHER_HAND].min(axis=1)
        shape = trimesh.Trimesh(posed.verts_m, posed.mesh.faces, process=False)
        halves = shape.split(only_watertight=True)
        assert len(halves) == 2
        assert all(half.volume > 0 for half in halves)  # also the mirrored one
        theirs_m = posed.verts_m[posed.parts[:, OTHER_HAND] == 1]
        ours_m = posed.verts_m[posed.parts[:, HAND] == 1]
        assert corners.sum() > 1000
        assert cKDTree(ours_m).query(theirs_m)[0].min() > 0.004
    assert found >= 5


def test_a_second_hand_goes_through_nothing_of_the_first() -> None:
    for index in range(10):
        posed = with_other(index)
        if not posed.parts[:, OTHER_HAND].any():
            continue
        solid = trimesh.Trimesh(posed.verts_m, posed.mesh.faces, process=False)
        first, second = solid.split(only_watertight=True)
        for one, other in ((first, second), (second, first)):
            inside = one.contains(other.vertices[::5])
            assert inside.mean() < 0.01, index
