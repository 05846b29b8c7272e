"""A camera's traces: none if none are asked for, and each one as physics or habit has it."""

from dataclasses import replace

import numpy as np
import pytest

from render_worker.picture.camera_traces import CameraTraces, cast_shadow

PERFECT = CameraTraces(
    gains=(1.0, 1.0, 1.0),
    blur_px=0.0,
    motion_px=(0.0, 0.0),
    resolution=1.0,
    noise=0.0,
    grain_px=0.0,
    sharpening=0.0,
)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def grey(value: int, size_px: int = 64) -> np.ndarray:
    return np.full((size_px, size_px, 3), value, np.uint8)


def checks(size_px: int = 64) -> np.ndarray:
    """Squares of four pixels."""
    rows, columns = np.indices((size_px, size_px)) // 4
    return np.repeat((80 + 80 * ((rows + columns) % 2))[..., None], 3, axis=2).astype(np.uint8)


def test_a_perfect_camera_changes_nothing() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (40, 50, 3), np.uint8)
    np.testing.assert_array_equal(PERFECT.leave(picture, rng()), picture)


def test_the_same_generator_leaves_the_same_traces() -> None:
    camera = replace(PERFECT, noise=5.0, resolution=0.6, sharpening=0.5, motion_px=(3.0, 1.0))
    first, again = (camera.leave(checks(), rng()) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, camera.leave(checks(), np.random.default_rng(1)))


def test_a_stop_less_light_halves_linear_values_and_highlights_are_bent_not_cut() -> None:
    dim = replace(PERFECT, gains=(0.5, 0.5, 0.5)).leave(grey(188), rng())  # 0.5 in linear light
    assert dim.mean() == pytest.approx(137, abs=1)  # 0.25
    bright = replace(PERFECT, gains=(2.0, 2.0, 2.0))
    steps = [float(bright.leave(grey(value), rng()).mean()) for value in (180, 200, 220, 240, 255)]
    assert (np.diff(steps) > 0).all()


def test_white_balance_moves_the_channels_apart() -> None:
    red, green, blue = replace(PERFECT, gains=(1.1, 1.0, 0.9)).leave(grey(120), rng())[0, 0]
    assert red > green > blue


def test_dark_parts_and_dim_light_have_more_noise() -> None:
    camera = replace(PERFECT, noise=3.0)
    bright, dark = (float(camera.leave(grey(value), rng()).std()) for value in (188, 60))
    assert bright == pytest.approx(3, rel=0.15)
    assert dark > 1.2 * bright
    dim = replace(camera, gains=(0.25, 0.25, 0.25))
    assert dim.leave(grey(255), rng()).std() > 1.5 * camera.leave(grey(137), rng()).std()


def test_coarse_grain_is_as_strong_as_fine_but_alike_among_neighbours() -> None:
    fine, coarse = (
        replace(PERFECT, noise=4.0, grain_px=grain_px).leave(grey(188, 200), rng()).astype(float)
        for grain_px in (0.0, 0.7)
    )
    assert coarse.std() == pytest.approx(fine.std(), rel=0.2)
    assert np.diff(coarse, axis=1).std() < 0.9 * np.diff(fine, axis=1).std()


def test_blur_motion_and_few_pixels_soften_and_sharpening_does_the_opposite() -> None:
    def contrast(camera: CameraTraces) -> float:
        return float(np.abs(np.diff(camera.leave(checks(), rng()).astype(float), axis=1)).max())

    before = contrast(PERFECT)
    for softer in ({"blur_px": 1.0}, {"motion_px": (4.0, 0.0)}, {"resolution": 0.4}):
        assert contrast(replace(PERFECT, **softer)) < 0.8 * before
    assert contrast(replace(PERFECT, sharpening=0.8)) > 1.1 * before


def test_motion_smears_along_its_direction_alone() -> None:
    stripes = np.repeat(checks()[:1], 64, axis=0)  # upright bars
    np.testing.assert_array_equal(replace(PERFECT, motion_px=(0.0, 5.0)).leave(stripes, rng()), stripes)
    assert replace(PERFECT, motion_px=(5.0, 0.0)).leave(stripes, rng()).std() < 0.8 * stripes.std()


def test_a_shadow_darkens_what_is_behind_on_one_side_and_nothing_far_away() -> None:
    coverage = np.zeros((64, 64), np.float32)
    coverage[20:40, 20:40] = 1
    shaded = cast_shadow(grey(200), coverage, offset_px=(12, 0), blur_px=1.0, strength=0.5)
    assert shaded[30, 45, 0] < 170
    assert shaded[30, 10, 0] == 200
    assert shaded[60, 60, 0] == 200
