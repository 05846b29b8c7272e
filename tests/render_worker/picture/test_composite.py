"""Backdrops, exposure and compositing: from a layer to a picture."""

import io

import numpy as np
import pytest
from PIL import Image

from render_worker.picture.background import choose_background
from render_worker.picture.composite import composite, encode_jpeg, encode_png
from render_worker.picture.exposure import expose
from render_worker.picture.request import Box, HandLayer
from shared.colour import encode_srgb8, linear_to_srgb, srgb_to_linear
from shared.errors import BackgroundError
from shared.seeds import rng_of
from tests.support.small_scene import PlainPhotographs

SIZE_PX = 48


class OnePhotograph(PlainPhotographs):
    """A photograph given by its bytes."""

    def __init__(self, encoded: bytes) -> None:
        self.encoded = encoded

    def __len__(self) -> int:
        return 1

    def image_bytes(self, position: int) -> bytes:
        return self.encoded


def photograph(width: int = 160, height: int = 96) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def shaded_layer(colour_rgb: tuple[float, float, float], *, contrast: float = 3.0) -> HandLayer:
    """A square of coverage one with soft edges, whose light falls off by a factor from left to right."""
    rgba = np.ones((32, 32, 4), np.float32)
    rgba[:, :2, 3] = rgba[:, -2:, 3] = 0.5
    light = np.geomspace(0.7, 0.7 / contrast, 32, dtype=np.float32)[None, :, None]
    rgba[..., :3] = srgb_to_linear(np.array(colour_rgb)) * light * rgba[..., 3:]
    return HandLayer(rgba, Box(8, 8, 40, 40))


def test_a_backdrop_is_a_square_of_the_photograph_that_its_crop_names() -> None:
    """Pillow is the outside number: on smooth pictures it agrees, but not with a crop one pixel off."""
    image = photograph(20, 12).resize((160, 96), Image.Resampling.BICUBIC)
    background = choose_background(OnePhotograph(png(image)), rng_of(1), image_px=SIZE_PX)
    crop = background.crop
    assert 0.6 * 96 - 1 <= crop.side_px <= 96
    assert crop.left_px + crop.side_px <= 160
    assert crop.top_px + crop.side_px <= 96
    again = image.crop(
        (crop.left_px, crop.top_px, crop.left_px + crop.side_px, crop.top_px + crop.side_px)
    ).resize((SIZE_PX, SIZE_PX), Image.Resampling.BICUBIC)
    assert np.abs(background.pixels.astype(int) - np.asarray(again)).mean() < 2


def test_a_large_photograph_is_averaged_so_that_its_detail_leaves_no_pattern() -> None:
    stripes = np.zeros((640, 640, 3), np.uint8)
    stripes[:, ::2] = 200
    background = choose_background(OnePhotograph(png(Image.fromarray(stripes))), rng_of(1), image_px=SIZE_PX)
    assert background.pixels.std() < 15


def test_the_mean_colour_is_that_of_the_pixels_that_will_be_seen() -> None:
    background = choose_background(OnePhotograph(png(photograph())), rng_of(2), image_px=SIZE_PX)
    np.testing.assert_allclose(background.mean_rgb, background.pixels.reshape(-1, 3).mean(axis=0) / 255)


def test_photographs_and_crops_vary_with_the_seed_and_repeat_with_it() -> None:
    photographs = PlainPhotographs()
    crops = [choose_background(photographs, rng_of(seed), image_px=8).crop for seed in range(40)]
    assert {crop.key for crop in crops} == {f"plain/{place}" for place in range(4)}
    assert len({crop.left_px for crop in crops}) > 10
    assert crops[7] == choose_background(photographs, rng_of(7), image_px=8).crop


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK"])
def test_photographs_of_any_mode_become_rgb(mode: str) -> None:
    file = io.BytesIO()
    photograph().convert(mode).save(file, "TIFF")
    background = choose_background(OnePhotograph(file.getvalue()), rng_of(1), image_px=8)
    assert background.pixels.shape == (8, 8, 3)


def test_a_photograph_of_one_pixel_is_enough() -> None:
    background = choose_background(OnePhotograph(png(photograph(1, 1))), rng_of(1), image_px=8)
    assert background.crop.side_px == 1


@pytest.mark.parametrize("encoded", [b"", b"no picture", png(photograph())[:1000]])
def test_an_undecodable_photograph_is_named(encoded: bytes) -> None:
    with pytest.raises(BackgroundError, match="plain/0: expected a photograph"):
        choose_background(OnePhotograph(encoded), rng_of(1), image_px=8)


def test_the_photograph_outside_of_the_mask_is_untouched() -> None:
    behind = np.asarray(photograph().resize((SIZE_PX, SIZE_PX)))
    layer = shaded_layer((0.5, 0.4, 0.3))
    layer.rgba[:5] = 0
    picture = composite(layer, behind)
    np.testing.assert_array_equal(picture.pixels[picture.mask == 0], behind[picture.mask == 0])
    assert (picture.mask == 0).sum() == SIZE_PX**2 - 27 * 32
    assert (picture.pixels[picture.mask == 255] != behind[picture.mask == 255]).any()


def test_full_coverage_shows_the_hand_alone() -> None:
    layer = shaded_layer((0.5, 0.4, 0.3))
    picture = composite(layer, np.full((SIZE_PX, SIZE_PX, 3), 255, np.uint8))
    np.testing.assert_array_equal(picture.pixels[8:40, 10:38], encode_srgb8(layer.rgba[:, 2:-2, :3]))


@pytest.mark.parametrize("grey", [0, 100, 255])
def test_an_edge_over_its_own_colour_cannot_be_seen(grey: int) -> None:
    """A halo is an edge that is darker or brighter than both sides."""
    rgba = np.zeros((32, 32, 4), np.float32)
    rgba[..., 3] = np.linspace(0, 1, 32)
    rgba[..., :3] = rgba[..., 3:] * float(srgb_to_linear(np.array(grey / 255)))
    picture = composite(HandLayer(rgba, Box(8, 8, 40, 40)), np.full((SIZE_PX, SIZE_PX, 3), grey, np.uint8))
    assert (picture.pixels == grey).all()


def test_half_coverage_is_half_of_the_light() -> None:
    """Half white and half black light is sRGB 188, not 128."""
    rgba = np.full((1, 1, 4), 0.5, np.float32)
    picture = composite(HandLayer(rgba, Box(0, 0, 1, 1)), np.zeros((2, 2, 3), np.uint8))
    assert picture.pixels[0, 0, 0] == 188
    assert picture.mask[0, 0] == 128


@pytest.mark.parametrize("level", [0.1, 0.25, 0.4, 0.55, 0.7])
def test_the_mean_of_a_shaded_hand_is_the_colour_that_was_asked_for(level: float) -> None:
    colour = (min(1.0, level * 1.15), level, level * 0.85)
    layer = shaded_layer(colour)
    exposed = expose(layer.rgba, colour)
    whole = exposed[layer.rgba[..., 3] == 1][:, :3]
    np.testing.assert_allclose(linear_to_srgb(whole).mean(axis=0), colour, atol=0.02)


@pytest.mark.parametrize("level", [0.0, 0.01, 0.03, 0.9, 1.0])
def test_a_hand_in_the_colour_of_its_wall_keeps_its_shape(level: float) -> None:
    """The tolerances that `render_worker.picture.exposure` states."""
    layer = shaded_layer((level,) * 3)
    values = linear_to_srgb(expose(layer.rgba, (level,) * 3))[layer.rgba[..., 3] == 1][:, 0]
    assert abs(values.mean() - level) < 0.2
    if level > 0:
        assert values.max() - values.min() > 0.2 * level


def test_exposure_does_not_depend_on_how_bright_the_lamp_was() -> None:
    layer = shaded_layer((0.5, 0.4, 0.3))
    brighter = layer.rgba * np.array([8, 8, 8, 1], np.float32)
    exposed = expose(layer.rgba, (0.5, 0.4, 0.3))
    np.testing.assert_allclose(expose(brighter, (0.5, 0.4, 0.3)), exposed, atol=2e-3)


def test_exposure_leaves_coverage_alone() -> None:
    layer = shaded_layer((0.9, 0.9, 0.9))
    np.testing.assert_array_equal(expose(layer.rgba, (0.9, 0.9, 0.9))[..., 3], layer.rgba[..., 3])


def test_masks_are_lossless_and_pictures_nearly() -> None:
    picture = composite(shaded_layer((0.8, 0.3, 0.2)), np.full((SIZE_PX, SIZE_PX, 3), 90, np.uint8))
    mask = np.asarray(Image.open(io.BytesIO(encode_png(picture.mask))))
    np.testing.assert_array_equal(mask, picture.mask)
    decoded = np.asarray(Image.open(io.BytesIO(encode_jpeg(picture.pixels, quality=92)))).astype(int)
    assert np.abs(decoded - picture.pixels).mean() < 2
