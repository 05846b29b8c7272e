"""sRGB and scene-linear colour."""

import numpy as np
import pytest

from shared.colour import decode_srgb8, encode_srgb8, linear_to_srgb, srgb_to_linear


@pytest.mark.parametrize(
    ("srgb", "linear"), [(0.0, 0.0), (0.04045, 0.0031308), (0.5, 0.21404), (0.73536, 0.5), (1.0, 1.0)]
)
def test_the_curve_is_that_of_the_standard(srgb: float, linear: float) -> None:
    """IEC 61966-2-1; values from its formula."""
    assert srgb_to_linear(np.array(srgb)) == pytest.approx(linear, abs=1e-5)
    assert linear_to_srgb(np.array(linear)) == pytest.approx(srgb, abs=1e-4)


def test_every_byte_survives_the_way_to_linear_and_back() -> None:
    all_bytes = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(encode_srgb8(decode_srgb8(all_bytes)), all_bytes)


def test_the_table_rounds_as_the_formula_does() -> None:
    linear = np.random.default_rng(0).uniform(0, 1, 100_000) ** 2
    exact = np.rint(255 * linear_to_srgb(linear)).astype(int)
    different = encode_srgb8(linear).astype(int) - exact
    assert np.abs(different).max() <= 1
    assert np.count_nonzero(different) < 1000


def test_light_beyond_the_range_is_clipped() -> None:
    np.testing.assert_array_equal(encode_srgb8(np.array([-0.5, 0.0, 1.0, 7.0])), [0, 0, 255, 255])
