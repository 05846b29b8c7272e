"""Where camera, light and box are, without Blender; test_render_worker_scene.py proves it with pixels."""

import numpy as np
import pytest

from render_worker.picture.camera import choose_light, hand_box, place_camera, to_blender
from shared.errors import RenderError
from shared.types import Intrinsics, WeakPerspective

PINHOLE = Intrinsics(480, 480, 111.5, 111.5, 224, 224)
CUBE_M = np.array([[x, y, z] for x in (-0.05, 0.05) for y in (-0.04, 0.04) for z in (0.4, 0.5)], np.float32)


def test_a_weak_camera_stands_opposite_to_its_shift_and_sees_two_over_scale() -> None:
    """ortho_scale = 2 / s, camera at (-tx, +ty) after y is flipped."""
    placed = place_camera(WeakPerspective(8.0, 0.01, 0.02), nearest_m=-0.05, farthest_m=0.05)
    assert placed.kind == "ORTHO"
    assert placed.ortho_scale_m == pytest.approx(0.25)
    assert placed.location_m[:2] == pytest.approx((-0.01, 0.02))


@pytest.mark.parametrize(("nearest_m", "farthest_m"), [(-0.05, 0.05), (0.6, 0.8), (-7.0, -6.9)])
def test_a_weak_camera_sees_the_hand_at_any_depth(nearest_m: float, farthest_m: float) -> None:
    placed = place_camera(WeakPerspective(8.0, 0, 0), nearest_m=nearest_m, farthest_m=farthest_m)
    stand_m = -placed.location_m[2]
    assert placed.clip_m[0] < nearest_m - stand_m < farthest_m - stand_m < placed.clip_m[1]


def test_a_centred_pinhole_has_no_shift() -> None:
    placed = place_camera(PINHOLE, nearest_m=0.4, farthest_m=0.5)
    assert (placed.shift_x, placed.shift_y, placed.pixel_aspect) == (0, 0, 1)
    assert placed.lens_mm == pytest.approx(480 * 36 / 224)


def test_axes_are_turned_and_not_mirrored() -> None:
    turned = to_blender(np.eye(3, dtype=np.float32))
    np.testing.assert_array_equal(turned, np.diag([1, -1, -1]))
    assert np.linalg.det(turned) == pytest.approx(1)


def test_the_box_holds_the_hand_and_little_more() -> None:
    """The near corners of the cube lie 60 px left and right, and 48 px above and below of 111.5."""
    box = hand_box(CUBE_M, PINHOLE, width_px=224, height_px=224)
    assert 51.5 - 4 <= box.left_px <= 51.5 - 1
    assert 63.5 - 4 <= box.top_px <= 63.5 - 1
    assert 171.5 + 1 <= box.right_px <= 171.5 + 5
    assert 159.5 + 1 <= box.bottom_px <= 159.5 + 5


def test_the_box_ends_at_the_picture() -> None:
    box = hand_box(CUBE_M - np.array([0.07, 0, 0], np.float32), PINHOLE, width_px=224, height_px=224)
    assert box.left_px == 0


@pytest.mark.parametrize(
    ("verts_m", "camera", "message"),
    [
        (CUBE_M * np.float32(np.nan), PINHOLE, "expected finite vertices"),
        (
            CUBE_M - np.array([0, 0, 0.45], np.float32),
            PINHOLE,
            r"in front of the camera, found depth -0\.050 m",
        ),
        (CUBE_M + np.array([1, 0, 0], np.float32), PINHOLE, "expected the hand in the picture"),
        (CUBE_M, WeakPerspective(-8.0, 0, 0), r"expected a positive scale, found -8\.0"),
        (CUBE_M, WeakPerspective(float("nan"), 0, 0), "expected a positive scale, found nan"),
        (CUBE_M, WeakPerspective(8.0, float("nan"), 0), "expected a finite camera"),
        (CUBE_M, WeakPerspective(8.0, 5.0, 0), "expected the hand in the picture"),
    ],
)
def test_a_hand_that_cannot_be_seen_is_refused(
    verts_m: np.ndarray, camera: WeakPerspective | Intrinsics, message: str
) -> None:
    with pytest.raises(RenderError, match=message):
        hand_box(verts_m, camera, width_px=224, height_px=224)


def test_light_comes_from_the_side_of_the_camera_and_varies() -> None:
    lights = [choose_light(np.random.default_rng(seed)) for seed in range(200)]
    directions = np.array([light.direction for light in lights])
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    assert directions[:, 2].max() < 0
    assert np.mean(directions[:, 1] < 0) > 0.7
    for name in ("angle_deg", "key", "fill"):
        values = [getattr(light, name) for light in lights]
        assert min(values) > 0
        assert np.std(values) > 0.1 * np.mean(values)
