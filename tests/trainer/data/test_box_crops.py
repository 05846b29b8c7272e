from pathlib import Path

import numpy as np
import pytest

from shared.camera import ndc_to_px, project_px
from shared.freihand import FreiHandSplit
from shared.skeleton import FINGERS, WRIST
from tests.support.small_dataset import SIZE_PX, small_split
from trainer.config.sections import AugmentConfig
from trainer.data.box_crops import box_warp, random_box_warp, upright_turn
from trainer.data.dataset import HandDataset
from trainer.data.sampling import SampleKey

INPUT_PX = 64
KNUCKLE = FINGERS["middle"][0]
UPRIGHT = AugmentConfig(upright_share=1.0, upright_sd_deg=0.0, colour_noise=0.0)


def joints(seed: int) -> np.ndarray:
    """A hand anywhere in the photograph, pointing anywhere."""
    rng = np.random.default_rng(seed)
    return (rng.uniform(-0.5, 0.5, size=2) + rng.normal(0, 0.15, size=(21, 2))).astype(np.float32)


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> FreiHandSplit:
    return small_split(tmp_path_factory.mktemp("data"), "training", num_images=3)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rotation_rad", [0.0, 2.1])
def test_the_box_of_the_hand_fills_the_crop_up_to_its_margin(seed: int, rotation_rad: float) -> None:
    seen = box_warp(joints(seed), margin=1.25, rotation_rad=rotation_rad).points_ndc(joints(seed))
    low, high = seen.min(axis=0), seen.max(axis=0)
    np.testing.assert_allclose(low + high, 0, atol=1e-5)
    assert (high - low).max() == pytest.approx(2 / 1.25, rel=1e-5)


@pytest.mark.parametrize("seed", range(20))
def test_upright_crops_have_the_middle_knuckle_right_above_the_wrist(seed: int) -> None:
    warp = random_box_warp(UPRIGHT, np.random.default_rng(seed), joints(seed), margin=1.3)
    seen = warp.points_ndc(joints(seed))
    assert seen[KNUCKLE, 0] == pytest.approx(seen[WRIST, 0], abs=1e-5)
    assert seen[KNUCKLE, 1] < seen[WRIST, 1]


def test_upright_crops_are_as_tight_shifted_and_turned_as_they_are_told() -> None:
    config = UPRIGHT.model_copy(update={"box_scale": (1.2, 1.5), "shift_ndc": 0.1, "upright_sd_deg": 10.0})
    rng, sides, turns = np.random.default_rng(0), [], []
    for seed in range(60):
        warp = random_box_warp(config, rng, joints(seed), margin=1.3)
        seen = warp.points_ndc(joints(seed))
        low, high = seen.min(axis=0), seen.max(axis=0)
        assert np.abs(low + high).max() <= 0.2 + 1e-5
        sides.append(2 / (high - low).max())
        turns.append(np.degrees(warp.rotation_rad - upright_turn(joints(seed))))
    assert 1.2 - 1e-5 <= min(sides) < 1.25 < 1.45 < max(sides) <= 1.5 + 1e-5
    assert 10 < np.abs(turns).max() <= 20 + 1e-6


def test_the_other_crops_turn_as_centre_crops_do_about_the_hand() -> None:
    config = AugmentConfig(rotation_probability=1.0, scale_sd=0.0)
    rng = np.random.default_rng(0)
    turns = []
    for seed in range(40):
        warp = random_box_warp(config, rng, joints(seed), margin=1.3)
        seen = warp.points_ndc(joints(seed))
        np.testing.assert_allclose(seen.min(axis=0) + seen.max(axis=0), 0, atol=1e-5)
        turns.append(np.degrees(warp.rotation_rad))
    assert min(turns) < -90
    assert max(turns) > 90


@pytest.mark.parametrize(
    "augment", [UPRIGHT, AugmentConfig(colour_noise=0.0, scale_sd=0.0, rotation_probability=1.0)]
)
def test_labels_land_on_the_hand_in_the_turned_picture(split: FreiHandSplit, augment: AugmentConfig) -> None:
    """A spot is drawn where a joint is; the crop must show it where the label says, and 3D must agree."""
    for index, joint in ((0, WRIST), (1, KNUCKLE), (2, 8)):
        spotted = _Spotted(split, index, joint)
        sample = HandDataset(spotted, crop_px=SIZE_PX, input_px=INPUT_PX, box_margin=1.3, augment=augment)[
            SampleKey(index, epoch=5)
        ]
        weights = sample.photo.rgb[..., 0].astype(float)
        rows, columns = np.indices(weights.shape)
        centre_px = np.array([(columns * weights).sum(), (rows * weights).sum()]) / weights.sum()
        label_px = ndc_to_px(sample.photo.labels.joints_ndc, size_px=INPUT_PX)[joint]
        np.testing.assert_allclose(centre_px, label_px, atol=0.3)
        flat_m, seen_ndc = sample.photo.labels.joints_m[:, :2], sample.photo.labels.joints_ndc
        bones = [(WRIST, KNUCKLE), (WRIST, FINGERS["index"][0])]
        for start, end in bones:  # far hands are nearly projected in parallel
            in_3d, in_2d = flat_m[end] - flat_m[start], seen_ndc[end] - seen_ndc[start]
            cosine = in_3d @ in_2d / (np.linalg.norm(in_3d) * np.linalg.norm(in_2d))
            assert cosine > 0.95


def test_held_out_crops_are_not_turned(split: FreiHandSplit) -> None:
    data = HandDataset(split, crop_px=SIZE_PX, input_px=INPUT_PX, box_margin=1.3, augment=UPRIGHT)
    labels = data[SampleKey(1)].photo.labels
    np.testing.assert_allclose(labels.joints_m, split.joints_m[1] - split.joints_m[1, WRIST], atol=1e-6)
    assert np.abs(labels.joints_ndc).max() == pytest.approx(1 / 1.3, rel=1e-4)


class _Spotted(FreiHandSplit):
    """Black photographs with a soft spot where a joint is seen."""

    def __init__(self, split: FreiHandSplit, index: int, joint: int) -> None:
        super().__init__(Path(split.root), "training")
        pose = self.pose_of(index)
        self._px = project_px(self.joints_m[pose], self.camera(pose))[joint]

    def image(self, index: int) -> np.ndarray:
        rows, columns = np.mgrid[: self.image_px, : self.image_px]
        spot = 250 * np.exp(-((columns - self._px[0]) ** 2 + (rows - self._px[1]) ** 2) / (2 * 1.5**2))
        return np.asarray(np.repeat(spot[:, :, None], 3, axis=2).round(), dtype=np.uint8)
