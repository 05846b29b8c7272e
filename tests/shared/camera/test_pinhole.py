"""The pinhole camera."""

import pytest

from shared.camera import Intrinsics


def test_a_centred_pinhole_has_no_shift() -> None:
    lens = Intrinsics(480, 480, 111.5, 111.5, 224, 224).lens(nearest_m=0.4, farthest_m=0.5)
    assert lens.kind == "perspective"
    assert (lens.shift_right, lens.shift_down, lens.pixel_aspect) == (0, 0, 1)
    assert lens.focal_widths == pytest.approx(480 / 224)


def test_the_picture_is_shifted_against_the_principal_point() -> None:
    """A principal point 22.4 px right of the centre shifts the picture a tenth of its width to the left."""
    lens = Intrinsics(480, 480, 133.9, 89.1, 224, 224).lens(nearest_m=0.4, farthest_m=0.5)
    assert (lens.shift_right, lens.shift_down) == pytest.approx((-0.1, 0.1))
