"""The closed mesh, and the fill light on it."""

import numpy as np
import pytest
import trimesh

from render_worker.picture.fill_light import Skylight
from render_worker.picture.mesh import CappedMesh
from tests.support.small_scene import open_hand


@pytest.fixture(scope="module")
def mesh() -> CappedMesh:
    return CappedMesh.of(open_hand())


def test_the_cap_moves_no_labelled_vertex_and_no_face(mesh: CappedMesh) -> None:
    model = open_hand()
    np.testing.assert_array_equal(mesh.with_cap(model.template_m)[: model.num_verts], model.template_m)
    np.testing.assert_array_equal(mesh.faces[: len(model.faces)], model.faces)


def test_the_cap_closes_the_hand_and_looks_outwards(mesh: CappedMesh) -> None:
    solid = trimesh.Trimesh(mesh.with_cap(open_hand().template_m), mesh.faces, process=False)
    solid.merge_vertices()
    assert solid.is_watertight
    assert solid.is_winding_consistent
    assert solid.volume > 0


def test_a_closed_mesh_needs_no_cap() -> None:
    ball = trimesh.creation.icosphere(subdivisions=1)
    mesh = CappedMesh(ball.faces.astype(np.int32), np.zeros(0, np.int32))
    np.testing.assert_array_equal(mesh.with_cap(ball.vertices), ball.vertices)


def test_normals_and_areas_are_those_of_a_ball() -> None:
    ball = trimesh.creation.icosphere(subdivisions=3)
    mesh = CappedMesh(ball.faces.astype(np.int32), np.zeros(0, np.int32))
    normals, areas_m2 = mesh.normals(ball.vertices.astype(np.float32))
    np.testing.assert_allclose(normals, ball.vertices, atol=0.02)
    assert areas_m2.sum() == pytest.approx(ball.area, rel=0.01)


def test_a_ball_hides_no_sky_from_itself_and_is_brightest_above() -> None:
    ball = trimesh.creation.icosphere(subdivisions=3)
    mesh = CappedMesh(ball.faces.astype(np.int32), np.zeros(0, np.int32))
    verts_m = ball.vertices.astype(np.float32)
    light = Skylight(mesh).on(verts_m)
    assert light.mean() == pytest.approx(1 - 0.3, abs=0.05)
    np.testing.assert_allclose(verts_m[light.argmax()], [0, -0.447, -0.894], atol=0.2)


def test_a_second_ball_darkens_the_side_that_faces_it() -> None:
    ball = trimesh.creation.icosphere(subdivisions=3)
    count = len(ball.vertices)
    faces = np.concatenate([ball.faces, ball.faces + count]).astype(np.int32)
    mesh = CappedMesh(faces, np.zeros(0, np.int32))

    def light_at(gap: float) -> np.ndarray:
        verts = np.concatenate([ball.vertices, ball.vertices + np.array([2 + gap, 0, 0])]).astype(np.float32)
        return Skylight(mesh, num_discs=300).on(verts)[:count]

    change = light_at(0.2) - light_at(20.0)
    facing, away = ball.vertices[:, 0] > 0.9, ball.vertices[:, 0] < -0.1
    assert change[facing].mean() < -0.2
    np.testing.assert_allclose(change[away], 0, atol=0.01)


def test_fill_light_is_the_same_near_the_camera_and_far_from_it(mesh: CappedMesh) -> None:
    # Steps of 1/65536 m, so that moving the hand rounds no vertex.
    verts_m = np.rint(mesh.with_cap(open_hand().template_m) * 65536).astype(np.float32) / 65536
    sky = Skylight(mesh)
    far_m = verts_m + np.array([0, 0, 2], np.float32)
    np.testing.assert_allclose(sky.on(far_m), sky.on(verts_m), atol=1e-5)
