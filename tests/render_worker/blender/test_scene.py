"""Real Blender against an independent rasteriser: where things are, and what colour they have."""

import bpy
import numpy as np
import pytest
import trimesh

from render_worker.blender.scene import HandScene
from render_worker.picture.light import choose_light
from render_worker.picture.mesh import CappedMesh
from render_worker.picture.request import HandLayer, RenderRequest
from shared.camera import project_px, px_to_ndc
from shared.errors import RenderError
from shared.seams.renderer import RenderSettings
from shared.types import Camera, Intrinsics, WeakPerspective
from tests.support.rasteriser import overlap, rasterise
from tests.support.small_scene import open_hand
from trainer.hands.sampled import labelled_hand

pytestmark = pytest.mark.blender

OFF_CENTRE = Intrinsics(fx_px=430, fy_px=510, cx_px=90.3, cy_px=70.7, width_px=200, height_px=160)
SQUARE_OFF_CENTRE = Intrinsics(fx_px=430, fy_px=510, cx_px=98.3, cy_px=124.7, width_px=224, height_px=224)
WHITE = (1.0, 1.0, 1.0)


@pytest.fixture
def scene() -> HandScene:
    return HandScene(CappedMesh.of(open_hand()), RenderSettings(samples=8))


def hand_verts_m(index: int) -> np.ndarray:
    return labelled_hand(open_hand(), seed=0, index=index).verts_m


def weak_camera(verts_m: np.ndarray, *, seed: int) -> WeakPerspective:
    """A camera that shows most of the hand, not quite in the middle."""
    rng = np.random.default_rng(seed)
    low, high = verts_m[:, :2].min(axis=0), verts_m[:, :2].max(axis=0)
    scale = 1.4 / float((high - low).max())
    tx_m, ty_m = -(low + high) / 2 + rng.uniform(-0.4, 0.4, 2) / scale
    return WeakPerspective(scale, float(tx_m), float(ty_m))


def request(verts_m: np.ndarray, camera: Camera, *, size_px: int = 224, seed: int = 0) -> RenderRequest:
    width, height = (
        (camera.width_px, camera.height_px) if isinstance(camera, Intrinsics) else (size_px, size_px)
    )
    return RenderRequest(
        verts_m=verts_m.astype(np.float32),
        camera=camera,
        width_px=width,
        height_px=height,
        albedo=WHITE,
        light=None,
        seed=seed,
    )


def lit(plain: RenderRequest) -> RenderRequest:
    return RenderRequest(
        verts_m=plain.verts_m,
        camera=plain.camera,
        width_px=plain.width_px,
        height_px=plain.height_px,
        albedo=(0.5, 0.3, 0.2),
        light=choose_light(np.random.default_rng(plain.seed)),
        seed=plain.seed,
    )


def coverage(layer: HandLayer, asked: RenderRequest) -> np.ndarray:
    whole = np.zeros((asked.height_px, asked.width_px))
    whole[layer.box.rows, layer.box.columns] = layer.rgba[..., 3]
    return whole


def seen_by_rays(asked: RenderRequest) -> np.ndarray:
    """The open mesh, without our cap."""
    raster = rasterise(
        asked.verts_m, open_hand().faces, asked.camera, width_px=asked.width_px, height_px=asked.height_px
    )
    return raster.coverage


@pytest.mark.parametrize("index", range(64))
def test_a_mask_is_what_rays_see(scene: HandScene, index: int) -> None:
    """Odd hands through a pinhole with fx ≠ fy and off-centre, even ones through a weak camera; 224 px."""
    verts_m = hand_verts_m(index)
    asked = request(verts_m, SQUARE_OFF_CENTRE if index % 2 else weak_camera(verts_m, seed=index))
    assert (asked.width_px, asked.height_px) == (224, 224)
    mask, expected = coverage(scene.render(asked), asked) > 0.5, seen_by_rays(asked) > 0.5
    assert overlap(mask, expected) >= 0.99
    fresnel = overlap(mask[:, ::-1], expected)
    assert fresnel < 0.97  # so a left hand, or a flipped axis, would not pass


def test_a_mask_of_a_picture_that_is_no_square_is_what_rays_see(scene: HandScene) -> None:
    asked = request(hand_verts_m(1), OFF_CENTRE)
    assert overlap(coverage(scene.render(asked), asked) > 0.5, seen_by_rays(asked) > 0.5) >= 0.99


def test_a_look_into_the_wrist_meets_the_cap_and_nothing_behind_it(scene: HandScene) -> None:
    """Rays through an open mesh would see the inside of the palm, centimetres deeper."""
    model = open_hand()
    turn = np.array([[0, 0, 1], [0, 1, 0], [-1, 0, 0]], np.float32)  # the forearm points at the camera
    verts_m = (model.template_m @ turn.T).astype(np.float32)
    asked = lit(request(verts_m, weak_camera(verts_m, seed=0)))
    geometry = scene.measure(asked)
    capped = CappedMesh.of(model)
    rays = rasterise(
        capped.with_cap(verts_m), capped.faces, asked.camera, width_px=224, height_px=224, rays_per_side=1
    )
    expected_m = rays.depth_m[geometry.box.rows, geometry.box.columns]
    both = np.isfinite(expected_m) & np.isfinite(geometry.depth_m)
    assert both.sum() > 1000
    assert np.percentile(np.abs(geometry.depth_m - expected_m)[both], 99.5) < 1e-4
    rim_px = project_px(verts_m[capped.rim].mean(axis=0), asked.camera, size_px=224).round().astype(int)
    at_centre_m = geometry.depth_m[rim_px[1] - geometry.box.top_px, rim_px[0] - geometry.box.left_px]
    assert at_centre_m == pytest.approx(float(verts_m[capped.rim, 2].mean()), abs=0.003)


@pytest.mark.parametrize("kind", ["weak", "pinhole"])
def test_dots_at_the_joints_are_found_where_the_camera_module_projects_them(kind: str) -> None:
    ball = trimesh.creation.icosphere(subdivisions=2, radius=0.004)
    scene = HandScene(
        CappedMesh(ball.faces.astype(np.int32), np.zeros(0, np.int32)), RenderSettings(samples=64)
    )
    hand = labelled_hand(open_hand(), seed=1, index=1)
    camera = OFF_CENTRE if kind == "pinhole" else weak_camera(hand.verts_m, seed=3)
    for joint_m in hand.joints_m:
        asked = request(ball.vertices + joint_m, camera)
        rendered = coverage(scene.render(asked), asked)
        rows, columns = np.indices(rendered.shape)
        found_px = [(rendered * axis).sum() / rendered.sum() for axis in (columns, rows)]
        expected_px = project_px(joint_m, camera, size_px=224)
        np.testing.assert_allclose(found_px, expected_px, atol=0.2)


@pytest.mark.parametrize("is_persistent", [True, False])
def test_no_frame_shows_the_previous_hand(scene: HandScene, is_persistent: bool) -> None:
    bpy.context.scene.render.use_persistent_data = is_persistent
    camera = WeakPerspective(8.0, 0.0, 0.0)  # the same for both: nothing but the mesh changes
    first, second = (
        request(hand_verts_m(index) - hand_verts_m(index).mean(axis=0), camera, size_px=96)
        for index in (0, 1)
    )
    layers = [scene.render(asked) for asked in (first, second, first)]
    bpy.context.scene.render.use_persistent_data = True
    np.testing.assert_array_equal(layers[0].rgba, layers[2].rgba)
    for asked, layer in zip((first, second, first), layers, strict=True):
        assert overlap(coverage(layer, asked) > 0.5, seen_by_rays(asked) > 0.5) >= 0.98


def test_a_picture_does_not_depend_on_what_was_drawn_before(scene: HandScene) -> None:
    """Size, camera, light and noise of the frames between must leave no trace."""
    asked = lit(request(hand_verts_m(2), OFF_CENTRE, seed=5))
    expected = scene.render(asked)
    for index in range(3, 6):
        scene.render(
            lit(request(hand_verts_m(index), weak_camera(hand_verts_m(index), seed=index), size_px=64))
        )
    np.testing.assert_array_equal(scene.render(asked).rgba, expected.rgba)


def test_flat_light_shows_exactly_the_colour_that_was_asked_for(scene: HandScene) -> None:
    verts_m = hand_verts_m(0)
    plain = request(verts_m, weak_camera(verts_m, seed=0), size_px=96)
    asked = RenderRequest(
        verts_m=plain.verts_m,
        camera=plain.camera,
        width_px=96,
        height_px=96,
        albedo=(0.2126, 0.05, 0.9),
        light=None,
        seed=0,
    )
    rgba = scene.render(asked).rgba
    whole = rgba[rgba[..., 3] == 1][:, :3]
    np.testing.assert_allclose(whole, np.broadcast_to(asked.albedo, whole.shape), atol=1e-5)


def test_colour_is_premultiplied_with_coverage(scene: HandScene) -> None:
    verts_m = hand_verts_m(0)
    rgba = scene.render(request(verts_m, weak_camera(verts_m, seed=0), size_px=96)).rgba
    np.testing.assert_allclose(rgba[..., :3], rgba[..., 3:].repeat(3, axis=2), atol=1e-5)
    assert ((rgba[..., 3] > 0.1) & (rgba[..., 3] < 0.9)).sum() > 50


def test_the_lit_side_is_the_side_of_the_lamp() -> None:
    ball = trimesh.creation.icosphere(subdivisions=4, radius=0.05)
    scene = HandScene(
        CappedMesh(ball.faces.astype(np.int32), np.zeros(0, np.int32)), RenderSettings(samples=8)
    )
    plain = request(ball.vertices, WeakPerspective(15.0, 0.0, 0.0), size_px=65)
    for seed in range(5):
        light = choose_light(np.random.default_rng(seed))
        asked = RenderRequest(
            verts_m=plain.verts_m,
            camera=plain.camera,
            width_px=65,
            height_px=65,
            albedo=WHITE,
            light=light,
            seed=0,
        )
        layer = scene.render(asked)
        brightest = np.unravel_index(layer.rgba[..., 0].argmax(), layer.rgba.shape[:2])
        row, column = brightest[0] + layer.box.top_px, brightest[1] + layer.box.left_px
        towards = (np.array([column, row]) - 32) / (32.5 * 15.0 * 0.05)
        # The fill light comes from above the camera, and renders the brightest point a little towards it.
        assert np.linalg.norm(towards - light.direction[:2]) < 0.25


def test_a_finger_throws_a_shadow() -> None:
    """Two squares, one behind the other: light from the right leaves the far one dark on the left."""
    square = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32)
    verts_m = np.concatenate([0.05 * square, 0.02 * square - np.array([0, 0, 0.02], np.float32)])
    faces = np.array([[0, 2, 1], [0, 3, 2], [4, 6, 5], [4, 7, 6]], np.int32)
    mesh = CappedMesh(faces, np.zeros(0, np.int32))
    light = choose_light(np.random.default_rng(0)).model_copy(
        update={"direction": (0.7071, 0.0, -0.7071), "angle_deg": 2.0}
    )
    asked = RenderRequest(
        verts_m=verts_m,
        camera=WeakPerspective(18.0, 0, 0),
        width_px=96,
        height_px=96,
        albedo=WHITE,
        light=light,
        seed=0,
    )
    layer = HandScene(mesh, RenderSettings(samples=16)).render(asked)
    row = layer.rgba[layer.rgba.shape[0] // 2, :, 0]
    centre = layer.rgba.shape[1] // 2
    px_per_m = 18.0 * 48
    in_shadow = row[centre - round(0.03 * px_per_m)]
    in_light = row[centre + round(0.03 * px_per_m)]
    assert in_shadow < 0.75 * in_light


@pytest.mark.parametrize("kind", ["weak", "pinhole"])
def test_depth_and_normals_are_those_that_rays_find(scene: HandScene, kind: str) -> None:
    verts_m = hand_verts_m(4)
    asked = lit(request(verts_m, OFF_CENTRE if kind == "pinhole" else weak_camera(verts_m, seed=4)))
    before = scene.render(asked)
    geometry = scene.measure(asked)
    np.testing.assert_array_equal(scene.render(asked).rgba, before.rgba)  # measuring leaves nothing behind
    capped = CappedMesh.of(open_hand())
    rays = rasterise(
        capped.with_cap(verts_m),
        capped.faces,
        asked.camera,
        width_px=asked.width_px,
        height_px=asked.height_px,
    )
    expected_m = rays.depth_m[geometry.box.rows, geometry.box.columns]
    hit = np.isfinite(geometry.depth_m)
    assert overlap(hit, np.isfinite(expected_m)) > 0.999
    both = hit & np.isfinite(expected_m)
    assert np.percentile(np.abs(geometry.depth_m - expected_m)[both], 99) < 1e-5
    flat_normals = rays.normals[geometry.box.rows, geometry.box.columns][both]
    flat_normals *= -np.sign(flat_normals[:, 2:])  # trimesh gives either side; we see the front
    angles_deg = np.degrees(np.arccos(np.clip((geometry.normals[both] * flat_normals).sum(axis=1), -1, 1)))
    assert np.median(angles_deg) < 10  # smooth against flat
    np.testing.assert_allclose(np.linalg.norm(geometry.normals[both], axis=1), 1, atol=1e-3)


def test_normals_of_a_ball_are_its_directions() -> None:
    """Known without a rasteriser: out of the ball, in camera axes."""
    ball = trimesh.creation.icosphere(subdivisions=4, radius=0.05)
    asked = request(ball.vertices, WeakPerspective(15.0, 0.0, 0.0), size_px=64)
    scene = HandScene(CappedMesh.closed(ball.faces.astype(np.int32)), RenderSettings(samples=1))
    geometry = scene.measure(asked)
    rows, columns = np.nonzero(np.isfinite(geometry.depth_m))
    px = np.stack([columns + geometry.box.left_px, rows + geometry.box.top_px], axis=1)
    xy = px_to_ndc(px.astype(float), size_px=64) / 15.0 / 0.05
    inner = np.linalg.norm(xy, axis=1) < 0.9
    expected = np.column_stack([xy, -np.sqrt(np.maximum(0, 1 - (xy**2).sum(axis=1)))])[inner]
    found = geometry.normals[rows, columns][inner]
    assert len(found) > 500
    assert np.degrees(np.arccos(np.clip((found * expected).sum(axis=1), -1, 1))).max() < 2


def test_a_hand_too_small_to_be_seen_is_an_error(scene: HandScene) -> None:
    verts_m = hand_verts_m(0)
    with pytest.raises(RenderError, match="It is too small to be rendered"):
        scene.render(request(verts_m, WeakPerspective(1e-4, 0.0, 0.0)))


def test_a_saved_file_says_what_cycles_left_behind(scene: HandScene) -> None:
    """Engines other than Cycles are read through a file."""
    asked = lit(request(hand_verts_m(0), OFF_CENTRE))
    box = scene.set_up(asked)
    scene.run_engine()
    kept = scene.read_back(box)
    np.testing.assert_array_equal(scene.read_back(box), kept)  # the first call took what was kept
