"""Pixels and the unit square."""

import numpy as np

from shared.camera import ndc_to_px, px_to_ndc


def test_the_unit_square_ends_half_a_pixel_outside_the_outer_centres() -> None:
    corners = ndc_to_px(np.array([[-1.0, -1.0], [1.0, 1.0], [0.0, 0.0]]), size_px=224)
    np.testing.assert_allclose(corners, [[-0.5, -0.5], [223.5, 223.5], [111.5, 111.5]])


def test_pixels_and_unit_square_are_inverse() -> None:
    px = np.random.default_rng(1).uniform(-20, 250, (30, 2))
    np.testing.assert_allclose(ndc_to_px(px_to_ndc(px, size_px=224), size_px=224), px)
