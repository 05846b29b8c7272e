import cv2
import numpy as np
import pytest

from trainer.config.sections import AugmentConfig
from trainer.data.appearance import changed_appearance, hue_turn

SIZE_PX = 128
EVERYTHING = AugmentConfig(
    hue=0.08,
    saturation=0.4,
    grey_share=0.1,
    gamma=0.6,
    contrast=0.3,
    brightness=0.1,
    blur_px=1.5,
    noise_levels=10,
    jpeg_share=0.5,
    cut_out_share=0.3,
)


def crop(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (SIZE_PX, SIZE_PX, 3), dtype=np.uint8)
    soft = np.asarray(cv2.GaussianBlur(noise, (0, 0), 3), dtype=np.int64)
    return np.asarray(np.clip((soft - 128) * 6 + 128, 0, 255), dtype=np.uint8)


def plain(rgb: tuple[int, int, int]) -> np.ndarray:
    return np.full((SIZE_PX, SIZE_PX, 3), rgb, np.uint8)


def changed(image: np.ndarray, seed: int = 0, **strengths: float) -> np.ndarray:
    config = AugmentConfig.model_validate(strengths)
    return changed_appearance(image, config, np.random.default_rng(seed))


def test_the_papers_configuration_changes_nothing_and_draws_nothing() -> None:
    rng, untouched = np.random.default_rng(0), np.random.default_rng(0)
    image = crop()
    assert changed_appearance(image, AugmentConfig(), rng) is image
    assert rng.random() == untouched.random()


def test_the_same_numbers_give_the_same_crop_and_others_another() -> None:
    first, again, other = (
        changed_appearance(crop(), EVERYTHING, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("seed", range(20))
def test_all_of_it_together_stays_a_picture_and_leaves_its_input_alone(seed: int) -> None:
    image = crop()
    found = changed_appearance(image, EVERYTHING, np.random.default_rng(seed))
    assert found.shape == image.shape
    assert found.dtype == np.uint8
    assert found.std() > 5
    np.testing.assert_array_equal(image, crop())


def test_a_third_of_the_circle_turns_red_into_another_primary_colour() -> None:
    turned = hue_turn(2 * np.pi / 3) @ np.array((1.0, 0, 0))
    np.testing.assert_allclose(sorted(turned), (0, 0, 1), atol=1e-12)


def test_greys_have_no_hue_to_turn() -> None:
    np.testing.assert_allclose(changed(plain((90, 90, 90)), hue=0.5), 90, atol=1)


def test_crops_without_colours_have_three_equal_channels_of_the_same_lightness() -> None:
    grey = changed(plain((200, 100, 50)), grey_share=1)
    expected = 0.299 * 200 + 0.587 * 100 + 0.114 * 50
    np.testing.assert_allclose(grey, expected, atol=1)


def test_stronger_and_weaker_colours_keep_the_lightness() -> None:
    spans = []
    for seed in range(30):
        found = changed(plain((150, 120, 90)), seed, saturation=0.4)[0, 0].astype(float)
        assert found @ (0.299, 0.587, 0.114) == pytest.approx(125.55, abs=1.5)
        spans.append(np.ptp(found))
    assert 36 - 2 <= min(spans) < 50
    assert 70 < max(spans) <= 84 + 2


def test_a_power_keeps_black_and_white_and_darkens_or_lightens_between() -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    middles = []
    for seed in range(20):
        found = changed(ramp, seed, gamma=0.6)[0, :, 0]
        assert (found[0], found[255]) == (0, 255)
        middles.append(int(found[128]))
    low, high = (255 * (128 / 255) ** power for power in (1.6, 1 / 1.6))
    assert low - 1 <= min(middles) < 110 < 150 < max(middles) <= high + 1


def test_a_blur_flattens_and_noise_roughens_as_much_as_they_say() -> None:
    assert changed(crop(), blur_px=3).std() < 0.95 * crop().std()
    deviations = [changed(plain((128, 128, 128)), seed, noise_levels=12).std() for seed in range(20)]
    assert max(deviations) <= 12.5
    assert max(deviations) > 9
    assert changed(plain((128, 128, 128)), noise_levels=12).mean() == pytest.approx(128, abs=1)


def test_compression_loses_detail_and_keeps_colours_in_their_channels() -> None:
    found = changed(plain((200, 30, 60)), jpeg_share=1)
    np.testing.assert_allclose(found, plain((200, 30, 60)), atol=6)
    assert not np.array_equal(changed(crop(), jpeg_share=1), crop())


def test_a_cut_out_hides_one_rectangle_and_nothing_else() -> None:
    found = changed(crop(), cut_out_share=1)
    differs = (found != crop()).any(axis=2)
    rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
    patch = found[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert (patch == patch[0, 0]).all()
    assert 0.08 * SIZE_PX < len(rows) < 0.42 * SIZE_PX
