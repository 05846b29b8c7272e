"""Directions."""

import numpy as np

from shared.vectors import unit


def test_a_direction_is_kept_and_its_length_is_one() -> None:
    expected = np.array([[0.6, 0.0, 0.8], [0.0, -1.0, 0.0]])
    np.testing.assert_allclose(unit(np.array([[3.0, 0.0, 4.0], [0.0, -2.0, 0.0]])), expected)


def test_what_has_no_direction_is_no_error() -> None:
    np.testing.assert_array_equal(unit(np.zeros(3)), np.zeros(3))
