"""The scaled orthographic camera."""

import numpy as np
import pytest

from shared.camera import WeakPerspective, project_px, project_weakly_ndc, px_to_ndc, widen

POINTS_M = np.random.default_rng(0).uniform((-0.1, -0.1, 0.3), (0.1, 0.1, 0.8), (50, 3))


def test_the_lens_is_opposite_to_the_shift_and_sees_two_over_scale() -> None:
    """A hand that is shifted to the right is one that is seen from further left."""
    lens = WeakPerspective(8.0, 0.01, 0.02).lens(nearest_m=-0.05, farthest_m=0.05)
    assert lens.kind == "orthographic"
    assert lens.width_m == pytest.approx(0.25)
    assert lens.location_m[:2] == pytest.approx((-0.01, -0.02))


@pytest.mark.parametrize(("nearest_m", "farthest_m"), [(-0.05, 0.05), (0.6, 0.8), (-7.0, -6.9)])
def test_the_lens_sees_the_hand_at_any_depth(nearest_m: float, farthest_m: float) -> None:
    lens = WeakPerspective(8.0, 0, 0).lens(nearest_m=nearest_m, farthest_m=farthest_m)
    z_m = lens.location_m[2]
    assert lens.clip_m[0] < nearest_m - z_m < farthest_m - z_m < lens.clip_m[1]


def test_many_hands_are_projected_as_one_by_one() -> None:
    cameras = [WeakPerspective(8.0, 0.01, -0.02), WeakPerspective(5.0, -0.03, 0.0)]
    rows = np.array([(camera.scale, camera.tx_m, camera.ty_m) for camera in cameras])
    together = project_weakly_ndc(np.stack([POINTS_M, POINTS_M]), rows)
    for camera, ndc in zip(cameras, together, strict=True):
        np.testing.assert_allclose(ndc, px_to_ndc(project_px(POINTS_M, camera, size_px=224), size_px=224))


@pytest.mark.parametrize("factor", [1.0, 224 / 180, 2.0])
def test_widening_undoes_a_centre_crop(factor: float) -> None:
    """Where a point lies in the crop, and where that place lies in the whole picture."""
    crop_px, whole_px = 224.0, 224.0 * factor
    crop = WeakPerspective(scale=8.0, tx_m=0.01, ty_m=-0.02)
    in_crop = px_to_ndc(project_px(POINTS_M, crop, size_px=224), size_px=224)
    in_whole = px_to_ndc(project_px(POINTS_M, widen(crop, factor), size_px=224), size_px=224)
    np.testing.assert_allclose(in_whole * whole_px, in_crop * crop_px)
