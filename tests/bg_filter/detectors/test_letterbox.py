"""Frames: as small as the stride allows, and boxes find their way back."""

import numpy as np
import pytest

from bg_filter.detectors.letterbox import STRIDE_PX, Letterbox


@pytest.mark.parametrize(("rows", "columns"), [(256, 341), (341, 256), (256, 256), (1, 900), (777, 3)])
@pytest.mark.parametrize("is_trimmed", [True, False])
def test_a_picture_fills_one_side_of_its_frame_and_sits_in_the_middle(
    rows: int, columns: int, is_trimmed: bool
) -> None:
    place = Letterbox.of(rows, columns, limits=(320, 320), is_trimmed=is_trimmed)
    height, width = place.frame_size
    assert max(place.width, place.height) == 320
    assert max(place.frame_size) == 320
    assert height % STRIDE_PX == width % STRIDE_PX == 0
    assert abs((width - place.width) - 2 * place.left) <= 1
    assert abs((height - place.height) - 2 * place.top) <= 1
    if is_trimmed:
        assert height - place.height < STRIDE_PX
        assert width - place.width < STRIDE_PX
    else:
        assert place.frame_size == (320, 320)


def test_corners_come_back_as_fractions_of_the_picture() -> None:
    place = Letterbox.of(256, 341, limits=(320, 320), is_trimmed=False)
    left, top, right, bottom = 0.25, 0.5, 0.75, 0.9
    corners = np.array(
        [
            place.left + left * place.width,
            place.top + top * place.height,
            place.left + right * place.width,
            place.top + bottom * place.height,
        ]
    )
    assert place.fractions(corners) == pytest.approx((left, top, right, bottom))


def test_a_box_that_leaves_the_picture_is_cut() -> None:
    place = Letterbox.of(256, 341, limits=(320, 320), is_trimmed=False)
    assert place.fractions(np.array([-50.0, -50.0, 999.0, 999.0])) == (0, 0, 1, 1)


@pytest.mark.parametrize(("rows", "columns"), [(256, 341), (341, 256), (256, 320)])
def test_a_picture_fits_into_the_oblong_frame_of_an_export(rows: int, columns: int) -> None:
    place = Letterbox.of(rows, columns, limits=(256, 320), is_trimmed=False)
    assert place.frame_size == (256, 320)
    assert place.height == 256 or place.width == 320
    assert place.top >= 0
    assert place.left >= 0
    assert place.width / place.height == pytest.approx(columns / rows, rel=0.01)
