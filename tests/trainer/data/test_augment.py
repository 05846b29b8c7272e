import cv2
import numpy as np
import pytest

from shared.camera import ndc_to_px, px_to_ndc
from trainer.config.sections import AugmentConfig
from trainer.data.augment import Warp, colour_noise, random_warp

SIZE_PX = 224


def photograph(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (SIZE_PX, SIZE_PX, 3), dtype=np.uint8)
    blurred: np.ndarray = np.asarray(cv2.GaussianBlur(noise, (0, 0), 3), dtype=np.uint8)
    return blurred


def blob_at(px: np.ndarray) -> np.ndarray:
    """A round, soft spot whose centre of mass is at a fraction of a pixel."""
    rows, columns = np.mgrid[:SIZE_PX, :SIZE_PX]
    spot = 250 * np.exp(-((columns - px[0]) ** 2 + (rows - px[1]) ** 2) / (2 * 4.0**2))
    return np.asarray(np.repeat(spot[:, :, None], 3, axis=2).round(), dtype=np.uint8)


def centre_of_mass(image: np.ndarray) -> np.ndarray:
    weights = image[:, :, 0].astype(float)
    rows, columns = np.indices(weights.shape)
    centre: np.ndarray = np.array([(columns * weights).sum(), (rows * weights).sum()]) / weights.sum()
    return centre


def test_the_identity_is_exact() -> None:
    np.testing.assert_array_equal(Warp(1.0).image(photograph(), size_px=SIZE_PX), photograph())


def test_freihands_crop_without_resizing_is_the_middle_of_the_photograph() -> None:
    crop = Warp(SIZE_PX / 180).image(photograph(), size_px=180)
    np.testing.assert_array_equal(crop, photograph()[22:202, 22:202])


def test_a_quarter_turn_is_clockwise_and_exact() -> None:
    turned = Warp(1.0, rotation_rad=np.pi / 2).image(photograph(), size_px=SIZE_PX)
    np.testing.assert_array_equal(turned, np.rot90(photograph(), k=-1))


@pytest.mark.parametrize("size_px", [160, 48])
@pytest.mark.parametrize("seed", range(8))
def test_a_spot_moves_to_where_its_label_moves(seed: int, size_px: int) -> None:
    """Picture and labels take different paths through the code; half a pixel of disagreement would show."""
    rng = np.random.default_rng(seed)
    warp = random_warp(AugmentConfig(shift_ndc=0.1), rng, magnification=SIZE_PX / 180)
    spot_px = rng.uniform(90, 134, size=2)
    crop = warp.image(blob_at(spot_px), size_px=size_px)
    label_px = ndc_to_px(warp.points_ndc(px_to_ndc(spot_px[None], size_px=SIZE_PX)), size_px=size_px)[0]
    np.testing.assert_allclose(centre_of_mass(crop), label_px, atol=0.05)


def test_small_crops_average_instead_of_picking_pixels() -> None:
    stripes = np.zeros((SIZE_PX, SIZE_PX, 3), np.uint8)
    stripes[:, ::2] = 200
    crop = Warp(1.0).image(stripes, size_px=SIZE_PX // 4)
    assert np.ptp(crop) <= 1
    assert crop.mean() == pytest.approx(100, abs=1)


def test_hand_and_projection_turn_together() -> None:
    """A weak-perspective picture of the turned hand is the turned picture of the hand."""
    hand_m = np.random.default_rng(0).normal(size=(21, 3)).astype(np.float32)
    warp = Warp(1.3, rotation_rad=0.7)
    np.testing.assert_allclose(
        warp.points_ndc(5 * hand_m[:, :2]), 1.3 * 5 * warp.points_m(hand_m)[:, :2], rtol=1e-5, atol=1e-5
    )


def test_turning_a_hand_keeps_its_size_and_depth() -> None:
    hand_m = np.random.default_rng(0).normal(size=(21, 3)).astype(np.float32)
    turned = Warp(2.0, rotation_rad=2.5, shift_ndc=(0.3, 0.1)).points_m(hand_m)
    np.testing.assert_array_equal(turned[:, 2], hand_m[:, 2])
    np.testing.assert_allclose(np.linalg.norm(turned, axis=1), np.linalg.norm(hand_m, axis=1), rtol=1e-5)


def test_random_warps_keep_within_fastmetros_limits() -> None:
    warps = [
        random_warp(AugmentConfig(), np.random.default_rng(seed), magnification=1.0) for seed in range(400)
    ]
    angles = np.array([warp.rotation_rad for warp in warps])
    scales = np.array([warp.magnification for warp in warps])
    assert np.abs(angles).max() <= np.pi
    assert 0.33 < (angles != 0).mean() < 0.47  # p = 0.4, within three standard deviations
    sides = 1 / scales  # of the crop: FastMETRO scales these, so hands are magnified by 0.80 to 1.33
    assert (sides.min(), sides.max()) == pytest.approx((0.75, 1.25))
    assert all(warp.shift_ndc == (0.0, 0.0) for warp in warps)


def test_colour_noise_changes_channels_apart_and_saturates() -> None:
    white = np.full((4, 4, 3), 255, np.uint8)
    grey = np.full((4, 4, 3), 128, np.uint8)
    noisy = colour_noise(grey, np.random.default_rng(1), amount=0.4)[0, 0]
    assert len(set(noisy.tolist())) == 3
    assert 128 * 0.6 - 1 <= noisy.min() <= noisy.max() <= 128 * 1.4 + 1
    assert colour_noise(white, np.random.default_rng(1), amount=0.4).max() == 255
    np.testing.assert_array_equal(colour_noise(grey, np.random.default_rng(1), amount=0.0), grey)
