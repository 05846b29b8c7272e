"""Crops of pictures of any size: where they look, and what they see beyond the edge."""

import numpy as np
import pytest

from shared.seams.hand_finder import HandSquare
from trainer.data.augment import Warp
from trainer.data.resampling import crop_square


def noise(width_px: int, height_px: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height_px, width_px, 3), dtype=np.uint8)


def square(x: float, y: float, size_px: float) -> HandSquare:
    return HandSquare(centre_px=(x, y), size_px=size_px, side="right")


def test_a_crop_of_its_own_size_copies_pixels() -> None:
    image = noise(90, 70)
    crop = crop_square(image, square(49.5, 29.5, 20), size_px=20)
    np.testing.assert_array_equal(crop, image[20:40, 40:60])


@pytest.mark.parametrize("size_px", [20, 7, 5, 60])
def test_what_lies_beyond_the_edge_is_black(size_px: int) -> None:
    """Compared with the same crop of the picture in a black frame, whose edges lie between blocks."""
    image = noise(48, 36)
    framed = np.pad(image, ((24, 24), (24, 24), (0, 0)))
    here, there = square(3.2, 30.7, 22.5), square(27.2, 54.7, 22.5)
    np.testing.assert_array_equal(
        crop_square(image, here, size_px=size_px), crop_square(framed, there, size_px=size_px)
    )


def test_a_place_beside_the_picture_is_black() -> None:
    assert not crop_square(noise(40, 30), square(500, -80, 20), size_px=16).any()


@pytest.mark.parametrize(("image_px", "size_px"), [(224, 224), (224, 64), (64, 128)])
def test_a_centred_square_is_what_training_sees(image_px: int, size_px: int) -> None:
    image, share = noise(image_px, image_px), 180 / 224
    middle = (image_px - 1) / 2
    crop = crop_square(image, square(middle, middle, share * image_px), size_px=size_px)
    seen = Warp(1 / share).image(image, size_px=size_px)
    assert np.abs(crop.astype(int) - seen.astype(int)).max() <= 1


def test_a_large_square_averages_what_its_pixels_stand_for() -> None:
    image = np.zeros((800, 800, 3), np.uint8)
    image[::2] = 200
    assert np.abs(crop_square(image, square(399.5, 399.5, 640), size_px=40).astype(int) - 100).max() <= 1


def test_pictures_larger_than_opencv_allows_can_be_cropped() -> None:
    """warpAffine refuses sides from 32,768 pixels on."""
    image = np.zeros((16, 40_000, 3), np.uint8)
    image[:, 39_000:] = 255
    assert crop_square(image, square(39_500, 7.5, 16), size_px=16).min() == 255
    assert crop_square(image, square(20_000, 7.5, 40_000), size_px=8).shape == (8, 8, 3)


def test_a_single_pixel_can_be_cropped() -> None:
    image = np.full((1, 1, 3), 77, np.uint8)
    crop = crop_square(image, square(0, 0, 1), size_px=9)
    assert crop[4, 4, 0] == 77


@pytest.mark.parametrize("size_px", [160, 40, 16, 7])
def test_a_ramp_keeps_its_place_when_it_is_reduced(size_px: int) -> None:
    """A pixel that stands for several shows the value of their middle."""
    ramp = np.repeat(np.tile(np.arange(256, dtype=np.uint8), (256, 1))[..., None], 3, axis=2)
    crop = crop_square(ramp, square(130.5, 120.0, 160), size_px=size_px)
    expected = 130.5 - 80 + (np.arange(size_px) + 0.5) * 160 / size_px
    assert np.abs(crop[..., 0] - expected).max() <= 1
