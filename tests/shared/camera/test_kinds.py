"""Projection with cameras of every kind."""

import numpy as np

from shared.camera import Intrinsics, WeakPerspective, project_px

POINTS_M = np.random.default_rng(0).uniform((-0.1, -0.1, 0.3), (0.1, 0.1, 0.8), (50, 3))


def test_a_weak_camera_ignores_depth_and_a_pinhole_does_not() -> None:
    farther = POINTS_M + np.array([0, 0, 1])
    weak = WeakPerspective(scale=8.0, tx_m=0.01, ty_m=0.02)
    pinhole = Intrinsics(fx_px=480, fy_px=480, cx_px=111.5, cy_px=111.5, width_px=224, height_px=224)
    np.testing.assert_allclose(
        project_px(farther, weak, size_px=224), project_px(POINTS_M, weak, size_px=224)
    )
    assert np.abs(project_px(farther, pinhole) - project_px(POINTS_M, pinhole)).max() > 1


def test_a_distant_pinhole_is_a_weak_camera() -> None:
    """f = 480 px at 100 m is 4.8 px per metre, and the unit square is 112 px."""
    shift = np.array([0.0, 0.0, 100.0])
    pinhole = Intrinsics(fx_px=480_000, fy_px=480_000, cx_px=111.5, cy_px=111.5, width_px=224, height_px=224)
    weak = WeakPerspective(scale=4800 / 112, tx_m=0.0, ty_m=0.0)
    near = project_px(POINTS_M * [1, 1, 0] + shift, pinhole)
    np.testing.assert_allclose(near, project_px(POINTS_M, weak, size_px=224), atol=1e-9)


def test_a_point_on_the_axis_falls_on_the_principal_point() -> None:
    pinhole = Intrinsics(fx_px=400, fy_px=500, cx_px=90.25, cy_px=130.75, width_px=224, height_px=192)
    np.testing.assert_allclose(project_px(np.array([[0.0, 0.0, 0.5]]), pinhole), [[90.25, 130.75]])
