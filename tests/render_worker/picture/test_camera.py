"""Axes and boxes, without Blender; test_scene.py proves them with pixels."""

import numpy as np
import pytest

from render_worker.picture.camera import hand_box, to_blender
from shared.errors import RenderError
from shared.types import Intrinsics, WeakPerspective

PINHOLE = Intrinsics(fx_px=480, fy_px=480, cx_px=111.5, cy_px=111.5, width_px=224, height_px=224)
CUBE_M = np.array([[x, y, z] for x in (-0.05, 0.05) for y in (-0.04, 0.04) for z in (0.4, 0.5)], np.float32)


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
