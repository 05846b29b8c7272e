"""The filter does what its paper says: noise at rest vanishes, motion is followed, axes are alike."""

import numpy as np
import pytest

from trainer.photographs.videos.one_euro import OneEuro, OneEuroSettings

USUAL = OneEuroSettings(rest_hz=1.0, per_speed=2.0)


def filtered(points: np.ndarray, settings: OneEuroSettings = USUAL, passed_s: float = 1 / 30) -> np.ndarray:
    euro = OneEuro(settings)
    return np.array([euro(frame, passed_s=passed_s) for frame in points])


def test_it_agrees_with_the_paper_written_out_for_one_number() -> None:
    rng = np.random.default_rng(0)
    values = np.cumsum(rng.standard_normal(50)) * 0.1
    found = filtered(values[:, None, None])[:, 0, 0]
    passed_s = 1 / 30

    def share(cutoff: float) -> float:
        return 1 / (1 + 1 / (2 * np.pi * cutoff * passed_s))

    x, dx = values[0], 0.0
    for value, ours in zip(values[1:], found[1:], strict=True):
        dx = share(1.0) * (value - x) / passed_s + (1 - share(1.0)) * dx
        a = share(USUAL.rest_hz + USUAL.per_speed * abs(dx))
        x = a * value + (1 - a) * x
        assert ours == pytest.approx(x)


def test_noise_of_a_resting_point_shrinks_and_a_moving_point_is_followed() -> None:
    rng = np.random.default_rng(0)
    rest = 0.005 * rng.standard_normal((300, 4, 3))
    assert filtered(rest)[50:].std() < 0.45 * rest[50:].std()
    moving = np.linspace(0, 10, 100)[:, None, None] * np.array([1.0, 0.5, 0.0])
    slow = OneEuroSettings(rest_hz=1.0, per_speed=0.0)
    lag, slow_lag = (np.abs(filtered(moving, each) - moving)[-1].max() for each in (USUAL, slow))
    assert lag < slow_lag / 4


def test_turned_points_are_smoothed_alike() -> None:
    rng = np.random.default_rng(0)
    points = np.cumsum(rng.standard_normal((40, 5, 3)), axis=0)
    turn, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    np.testing.assert_allclose(filtered(points @ turn), filtered(points) @ turn, atol=1e-9)


def test_the_rate_of_a_video_hardly_matters() -> None:
    times_s = np.arange(0, 2, 1 / 240)
    step = np.where(times_s > 0.5, 1.0, 0.0)[:, None, None] * np.ones((1, 1, 3))
    slow, fast = filtered(step[::8], passed_s=1 / 30), filtered(step, passed_s=1 / 240)
    assert np.abs(slow - fast[::8]).max() < 0.2
    assert slow[-1] == pytest.approx(fast[-1], abs=0.01)
