"""Pictures of two devices are compared by where the hand is and how bright it is."""

import numpy as np
import pytest

from render_worker.bench.agreement import agreement
from render_worker.picture.request import Box, HandLayer
from shared.colour import srgb_to_linear


def square(left_px: int, *, srgb: float = 0.5) -> HandLayer:
    """Ten by ten pixels of one colour."""
    rgba = np.ones((10, 10, 4), np.float32)
    rgba[..., :3] = srgb_to_linear(np.full(3, srgb))
    return HandLayer(rgba, Box(left_px, 0, left_px + 10, 10))


def test_a_hand_agrees_with_itself() -> None:
    assert agreement([square(0)], [square(0)], width_px=20, height_px=10) == (1.0, 0.0)


def test_a_hand_that_is_a_pixel_off_shares_nine_of_eleven_columns() -> None:
    assert agreement([square(1)], [square(0)], width_px=20, height_px=10).overlap == pytest.approx(9 / 11)


def test_brightness_is_told_in_steps_of_a_file() -> None:
    """Three of 255 steps brighter in sRGB, wherever the hand is in its picture."""
    brighter = square(0, srgb=0.5 + 3 / 255)
    found = agreement([brighter], [square(0)], width_px=20, height_px=10)
    assert found.mean_difference == pytest.approx(3.0, abs=1e-3)
