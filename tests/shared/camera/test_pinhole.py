"""The pinhole camera."""

import pytest

from shared.camera import Intrinsics


def test_a_centred_pinhole_has_no_shift() -> None:
    lens = Intrinsics(fx_px=480, fy_px=480, cx_px=111.5, cy_px=111.5, width_px=224, height_px=224).lens(
        nearest_m=0.4, farthest_m=0.5
    )
    assert lens.kind == "perspective"
    assert (lens.shift_right, lens.shift_down, lens.pixel_aspect) == (0, 0, 1)
    assert lens.focal_widths == pytest.approx(480 / 224)


def test_the_picture_is_shifted_against_the_principal_point() -> None:
    """A principal point 22.4 px right of the centre shifts the picture a tenth of its width to the left."""
    lens = Intrinsics(fx_px=480, fy_px=480, cx_px=133.9, cy_px=89.1, width_px=224, height_px=224).lens(
        nearest_m=0.4, farthest_m=0.5
    )
    assert (lens.shift_right, lens.shift_down) == pytest.approx((-0.1, 0.1))
