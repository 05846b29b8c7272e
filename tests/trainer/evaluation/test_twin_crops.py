"""What a network sees of a twin after training: the box of the hand in it, where networks see boxes."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from shared.camera import project_px, px_to_ndc
from shared.freihand import FreiHandSplit
from shared.seams.renderer import RenderJob
from shared.twins.predictions import PredictionShard, write_predictions
from shared.twins.rounds import SyntheticRound
from shared.twins.sample import SyntheticSample
from shared.twins.variation import Variation
from tests.support.fakes import PointRenderer
from tests.support.perfect_hands import perfect_predictions
from tests.support.small_dataset import SIZE_PX, small_split
from trainer.evaluation.centre_crops import plain_crops
from trainer.evaluation.twin_crops import TwinCrops

MARGIN = 1.3


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> FreiHandSplit:
    return small_split(tmp_path_factory.mktemp("data"), "training", num_images=2)


@pytest.fixture(scope="module")
def twins(split: FreiHandSplit, tmp_path_factory: pytest.TempPathFactory) -> dict[int, SyntheticSample]:
    """Twins from other sides."""
    folder: Path = tmp_path_factory.mktemp("twins")
    hands = perfect_predictions(split, range(2))
    shard = PredictionShard(
        sample_ids=hands.sample_ids,
        verts_m=hands.verts_m,
        joints_m=hands.joints_m,
        cameras=hands.cameras,
        round_index=0,
        image_px=SIZE_PX,
    )
    write_predictions(folder / "predictions" / "shard-00000.safetensors", shard)
    job = RenderJob(
        predictions_dir=folder / "predictions",
        out_dir=folder / "round",
        round_index=0,
        run_seed=0,
        variation=Variation(view_spread_deg=120),
    )
    PointRenderer().render_round(job)
    drawn = SyntheticRound.open(job.out_dir)
    return {index: drawn.read(split.sample_id(index)) for index in range(2)}


def joints_ndc(twin: SyntheticSample) -> np.ndarray:
    return px_to_ndc(project_px(twin.joints_m, twin.labels.camera, size_px=SIZE_PX), size_px=SIZE_PX)


def test_a_twin_is_seen_in_the_box_of_the_hand_that_was_drawn(
    split: FreiHandSplit, twins: dict[int, SyntheticSample]
) -> None:
    photos = plain_crops(split, crop_px=SIZE_PX, input_px=32, box_margin=MARGIN)
    crops = TwinCrops(photos, twins)
    for index, twin in twins.items():
        seen = crops.warp(index).points_ndc(joints_ndc(twin))
        low, high = seen.min(axis=0), seen.max(axis=0)
        np.testing.assert_allclose(low + high, 0, atol=1e-5)
        assert (high - low).max() == pytest.approx(2 / MARGIN, rel=1e-5)
        missed = photos.warp(index).points_ndc(joints_ndc(twin))
        assert np.abs(missed - seen).max() > 0.05


def test_loading_processes_are_given_the_twins(
    split: FreiHandSplit, twins: dict[int, SyntheticSample]
) -> None:
    crops = TwinCrops(plain_crops(split, crop_px=SIZE_PX, input_px=32, box_margin=MARGIN), twins)
    given: TwinCrops = pickle.loads(pickle.dumps(crops))
    for index in twins:
        np.testing.assert_array_equal(given.picture(index), crops.picture(index))


def test_what_a_network_sees_in_that_box_is_shown_where_it_is_in_the_whole_twin(
    split: FreiHandSplit, twins: dict[int, SyntheticSample]
) -> None:
    crops = TwinCrops(plain_crops(split, crop_px=SIZE_PX, input_px=32, box_margin=MARGIN), twins)
    camera = np.array([[6.0, 0.02, -0.03]], np.float32)
    point_m = np.array([0.05, -0.04])
    for index in twins:
        whole = crops.in_photographs([index], camera)[0]
        seen_ndc = camera[0, 0] * (point_m + camera[0, 1:])
        whole_ndc = whole[0] * (point_m + whole[1:])
        np.testing.assert_allclose(crops.warp(index).points_ndc(whole_ndc[None])[0], seen_ndc, atol=1e-5)


def test_where_networks_see_the_middle_a_twin_is_cropped_as_its_photograph(
    split: FreiHandSplit, twins: dict[int, SyntheticSample]
) -> None:
    photos = plain_crops(split, crop_px=SIZE_PX // 2, input_px=32)
    assert TwinCrops(photos, twins).warp(0) == photos.warp(0)
