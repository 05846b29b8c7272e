"""Projection with both cameras."""

import numpy as np
import pytest

from shared.camera import ndc_to_px, project_px, px_to_ndc, widen
from shared.types import Intrinsics, WeakPerspective

POINTS_M = np.random.default_rng(0).uniform((-0.1, -0.1, 0.3), (0.1, 0.1, 0.8), (50, 3))


def test_the_edges_of_the_unit_square_lie_half_a_pixel_outside_the_outer_centres() -> None:
    corners = ndc_to_px(np.array([[-1.0, -1.0], [1.0, 1.0], [0.0, 0.0]]), size_px=224)
    np.testing.assert_allclose(corners, [[-0.5, -0.5], [223.5, 223.5], [111.5, 111.5]])


def test_pixels_and_unit_square_are_inverse() -> None:
    px = np.random.default_rng(1).uniform(-20, 250, (30, 2))
    np.testing.assert_allclose(ndc_to_px(px_to_ndc(px, size_px=224), size_px=224), px)


def test_a_weak_camera_ignores_depth_and_a_pinhole_does_not() -> None:
    farther = POINTS_M + np.array([0, 0, 1])
    weak = WeakPerspective(scale=8.0, tx_m=0.01, ty_m=0.02)
    pinhole = Intrinsics(480, 480, 111.5, 111.5, 224, 224)
    np.testing.assert_allclose(
        project_px(farther, weak, size_px=224), project_px(POINTS_M, weak, size_px=224)
    )
    assert np.abs(project_px(farther, pinhole) - project_px(POINTS_M, pinhole)).max() > 1


def test_a_distant_pinhole_is_a_weak_camera() -> None:
    """f = 480 px at 100 m is 4.8 px per metre, and the unit square is 112 px."""
    shift = np.array([0.0, 0.0, 100.0])
    pinhole = Intrinsics(480_000, 480_000, 111.5, 111.5, 224, 224)
    weak = WeakPerspective(scale=4800 / 112, tx_m=0.0, ty_m=0.0)
    near = project_px(POINTS_M * [1, 1, 0] + shift, pinhole)
    np.testing.assert_allclose(near, project_px(POINTS_M, weak, size_px=224), atol=1e-9)


def test_a_point_on_the_axis_falls_on_the_principal_point() -> None:
    pinhole = Intrinsics(400, 500, 90.25, 130.75, 224, 192)
    np.testing.assert_allclose(project_px(np.array([[0.0, 0.0, 0.5]]), pinhole), [[90.25, 130.75]])


@pytest.mark.parametrize("factor", [1.0, 224 / 180, 2.0])
def test_widening_undoes_a_centre_crop(factor: float) -> None:
    """Where a point lies in the crop, and where that place lies in the whole picture."""
    crop_px, whole_px = 224.0, 224.0 * factor
    crop = WeakPerspective(scale=8.0, tx_m=0.01, ty_m=-0.02)
    in_crop = px_to_ndc(project_px(POINTS_M, crop, size_px=224), size_px=224)
    in_whole = px_to_ndc(project_px(POINTS_M, widen(crop, factor), size_px=224), size_px=224)
    np.testing.assert_allclose(in_whole * whole_px, in_crop * crop_px)
