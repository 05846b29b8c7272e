import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from shared.camera import project_px, px_to_ndc
from shared.errors import ConfigError, DatasetError
from shared.freihand import FreiHandSplit
from shared.freihand.label_check import check_labels
from shared.hand_model import load_hand_model
from shared.seams.renderer import RenderJob
from shared.seeds import rng_of
from shared.twins.predictions import PredictionShard, write_predictions
from shared.twins.rounds import SyntheticRound
from shared.twins.variation import Variation
from tests.support.fakes import PointRenderer
from tests.support.perfect_hands import perfect_predictions
from tests.support.small_dataset import SIZE_PX, small_split
from trainer.config.sections import AugmentConfig
from trainer.data.augment import random_warp
from trainer.data.dataset import HandDataset, collate, normalise
from trainer.data.sampling import SampleKey
from trainer.data.workers import BatchPlan, load_batches, one_line_errors
from trainer.objective.correlation import SelfCorrelationLoss
from trainer.objective.terms import TermWeights
from trainer.types import HandPrediction, HandTarget

INPUT_PX = 48


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> FreiHandSplit:
    return small_split(tmp_path_factory.mktemp("data"), "training", num_images=4)


@pytest.fixture(scope="module")
def twins(split: FreiHandSplit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twins of all but the last sample; each shows the true hand moved by a centimetre."""
    folder = tmp_path_factory.mktemp("twins")
    hands = perfect_predictions(split, range(4))
    cameras = hands.cameras + np.array([0, 0.01, 0], np.float32)
    shard = PredictionShard(
        sample_ids=hands.sample_ids,
        verts_m=hands.verts_m,
        joints_m=hands.joints_m,
        cameras=cameras,
        round_index=0,
        image_px=SIZE_PX,
    )
    write_predictions(folder / "predictions" / "shard-00000.safetensors", shard)
    job = RenderJob(
        predictions_dir=folder / "predictions", out_dir=folder / "round", round_index=0, run_seed=0
    )
    PointRenderer(skipped=(hands.sample_ids[3],)).render_round(job)
    return job.out_dir


@pytest.fixture(scope="module")
def turned(twins: Path) -> Path:
    """The same from other sides."""
    job = RenderJob(
        predictions_dir=twins.parent / "predictions",
        out_dir=twins.parent / "turned",
        round_index=0,
        run_seed=0,
        variation=Variation(view_spread_deg=90),
    )
    PointRenderer().render_round(job)
    return job.out_dir


def dataset(split: FreiHandSplit, *, drawn_labels: bool = False, seed: int = 0) -> HandDataset:
    return HandDataset(
        split,
        crop_px=56,
        input_px=INPUT_PX,
        augment=AugmentConfig(rotation_probability=1.0),
        seed=seed,
        drawn_labels=drawn_labels,
    )


def test_a_plain_crop_is_labelled_by_the_pinhole_camera(split: FreiHandSplit) -> None:
    labels = dataset(split)[SampleKey(2)].photo.labels
    ndc = px_to_ndc(project_px(split.joints_m[2], split.camera(2)), size_px=SIZE_PX)
    np.testing.assert_allclose(labels.joints_ndc, ndc * SIZE_PX / 56, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(labels.joints_m, split.joints_m[2] - split.joints_m[2, 0], atol=1e-6)
    np.testing.assert_allclose(labels.verts_m, split.verts_m[2] - split.joints_m[2, 0], atol=1e-6)


def test_the_same_draw_is_the_same_sample_whenever_it_is_taken(split: FreiHandSplit, twins: Path) -> None:
    """Workers, their number, and a resumed run cannot change a sample."""
    draw = SampleKey(1, epoch=3, twins=twins)
    first, again = dataset(split)[draw], dataset(split)[draw]
    assert len(first.twins) == 1
    assert len(again.twins) == 1
    np.testing.assert_array_equal(first.photo.rgb, again.photo.rgb)
    np.testing.assert_array_equal(first.twins[0].rgb, again.twins[0].rgb)
    np.testing.assert_array_equal(first.photo.labels.joints_ndc, again.photo.labels.joints_ndc)


@pytest.mark.parametrize("other", [SampleKey(1, epoch=4), SampleKey(2, epoch=3)])
def test_epochs_and_samples_are_augmented_differently(split: FreiHandSplit, other: SampleKey) -> None:
    first, second = dataset(split)[SampleKey(1, epoch=3)], dataset(split)[other]
    assert not np.array_equal(first.photo.rgb, second.photo.rgb)


def test_a_twin_does_not_change_its_photograph(split: FreiHandSplit, twins: Path) -> None:
    alone, paired = dataset(split)[SampleKey(1, epoch=3)], dataset(split)[SampleKey(1, epoch=3, twins=twins)]
    np.testing.assert_array_equal(alone.photo.rgb, paired.photo.rgb)


def test_a_twin_goes_through_the_warp_of_its_photograph(split: FreiHandSplit, twins: Path) -> None:
    augment = AugmentConfig(rotation_probability=1.0, colour_noise=0.0)
    data = HandDataset(split, crop_px=56, input_px=INPUT_PX, augment=augment, drawn_labels=True)
    sample = data[SampleKey(1, epoch=3, twins=twins)]
    assert len(sample.twins) == 1
    warp = random_warp(augment, rng_of(0, "augment", 3, "00000001"), magnification=SIZE_PX / 56)
    render = SyntheticRound.open(twins).read("00000001")
    with Image.open(io.BytesIO(render.jpeg)) as picture:
        drawn = np.array(picture)
    np.testing.assert_array_equal(sample.photo.rgb, warp.image(split.image(1), size_px=INPUT_PX))
    np.testing.assert_array_equal(sample.twins[0].rgb, warp.image(drawn, size_px=INPUT_PX))
    # Drawn labels: the same hand, a centimetre further right before the warp.
    ndc = px_to_ndc(project_px(render.joints_m, render.labels.camera, size_px=SIZE_PX), size_px=SIZE_PX)
    np.testing.assert_allclose(sample.twins[0].labels.joints_ndc, warp.points_ndc(ndc), atol=1e-6)
    np.testing.assert_allclose(sample.twins[0].labels.verts_m, sample.photo.labels.verts_m, atol=1e-6)


def test_a_twin_is_labelled_with_the_photographs_truth_by_default(split: FreiHandSplit, twins: Path) -> None:
    sample = dataset(split)[SampleKey(1, epoch=3, twins=twins)]
    assert len(sample.twins) == 1
    np.testing.assert_array_equal(sample.twins[0].labels.joints_ndc, sample.photo.labels.joints_ndc)


def test_a_twin_from_another_side_is_labelled_with_its_own_hand_and_how_it_was_turned(
    split: FreiHandSplit, turned: Path
) -> None:
    """Undone in the axes of the augmented crop, the turn leads back to the hand in the photograph."""
    samples = [dataset(split, drawn_labels=True)[SampleKey(1, epoch=epoch, twins=turned)] for epoch in (3, 4)]
    for sample in samples:
        assert len(sample.twins) == 1
        photo, twin = sample.photo.labels, sample.twins[0].labels
        assert np.abs(twin.joints_m - photo.joints_m).max() > 0.01
        middle_m = twin.joints_m.mean(axis=0)
        back_m = (twin.verts_m - middle_m) @ sample.twins[0].turn + photo.joints_m.mean(axis=0)
        np.testing.assert_allclose(back_m, photo.verts_m, atol=1e-6)
    batch = collate(samples)
    assert batch.twin_views is not None
    assert batch.twin_views.turns.shape == (2, 3, 3)


BOXES = {
    "as it is": AugmentConfig(),
    "turned": AugmentConfig(rotation_probability=1.0),
    "upright": AugmentConfig(upright_share=1.0, upright_sd_deg=5.0),
}


@pytest.mark.parametrize("epoch", [None, 3])
@pytest.mark.parametrize("augment", BOXES.values(), ids=BOXES)
def test_where_networks_see_boxes_a_varied_twin_is_cropped_by_its_own(
    split: FreiHandSplit, turned: Path, augment: AugmentConfig, epoch: int | None
) -> None:
    """Its random choices are those of its photograph, so both boxes fill their crops alike."""
    data = HandDataset(
        split, crop_px=56, input_px=INPUT_PX, box_margin=1.3, augment=augment, drawn_labels=True
    )
    sides, middles = [], []
    sample = data[SampleKey(1, epoch=epoch, twins=turned)]
    for crop in (sample.photo, *sample.twins):
        low, high = crop.labels.joints_ndc.min(axis=0), crop.labels.joints_ndc.max(axis=0)
        sides.append((high - low).max())
        middles.append((low + high) / 2)
    assert sides[1] == pytest.approx(sides[0], rel=1e-4)
    np.testing.assert_allclose(middles[1], middles[0], atol=1e-4)
    moved = sample.twins[0].places[:, :2] @ middles[1] + sample.twins[0].places[:, 2]
    assert np.abs(moved - middles[0]).max() > 0.05  # the photograph's own box would have missed it


def test_labelled_with_the_photographs_truth_a_twin_has_its_box(split: FreiHandSplit, twins: Path) -> None:
    data = HandDataset(split, crop_px=56, input_px=INPUT_PX, box_margin=1.3)
    sample = data[SampleKey(1, epoch=3, twins=twins)]
    np.testing.assert_array_equal(sample.twins[0].labels.joints_ndc, sample.photo.labels.joints_ndc)
    assert collate([sample]).twin_views is None


@pytest.mark.parametrize("augment", BOXES.values(), ids=BOXES)
def test_hands_that_a_network_sees_rightly_in_boxes_of_their_own_agree_in_their_photographs(
    split: FreiHandSplit, turned: Path, augment: AugmentConfig
) -> None:
    """Eq. 3 to 5 of a photograph and its twin from another side, both predicted as they are labelled."""
    data = HandDataset(
        split, crop_px=56, input_px=INPUT_PX, box_margin=1.3, augment=augment, drawn_labels=True
    )
    batch = collate([data[SampleKey(index, epoch=4, twins=turned)] for index in range(4)])
    assert batch.twin_views is not None
    photos, found = (_as_labelled(target) for target in (batch.target, batch.twin_target))
    loss = SelfCorrelationLoss(TermWeights(*(1.0 for _ in TermWeights._fields)))
    agreed, raw = loss(photos, found.seen_with(batch.twin_views)), loss(photos, found)
    for name, atol in (("joints", 1e-6), ("verts", 1e-6), ("projected", CENTIMETRE_NDC)):
        assert float(getattr(agreed, name).max()) < atol
        assert float(getattr(raw, name).max()) > 2 * atol


CENTIMETRE_NDC = 0.08
"""By so much a twin was drawn elsewhere, and a pinhole shows a hand otherwise than a parallel projection."""


def _as_labelled(target: HandTarget) -> HandPrediction:
    """Return a prediction that meets its labels, with the parallel camera that fits them best."""
    joints_m, joints_ndc = target.joints_m[..., :2], target.joints_ndc
    middle_m, middle_ndc = joints_m.mean(dim=1, keepdim=True), joints_ndc.mean(dim=1, keepdim=True)
    from_middle_m = joints_m - middle_m
    scales = (from_middle_m * (joints_ndc - middle_ndc)).sum(dim=(1, 2)) / from_middle_m.square().sum(
        dim=(1, 2)
    )
    shifts_m = middle_ndc[:, 0] / scales[:, None] - middle_m[:, 0]
    return HandPrediction(target.verts_m, target.joints_m, torch.cat((scales[:, None], shifts_m), dim=1))


def test_photographs_without_a_twin_take_no_place_among_the_twins(split: FreiHandSplit, twins: Path) -> None:
    samples = [dataset(split)[SampleKey(index, epoch=0, twins=twins)] for index in (3, 0, 2)]
    batch = collate(samples)
    assert batch.twin_rows.tolist() == [1, 2]
    assert batch.photos.shape == (3, INPUT_PX, INPUT_PX, 3)
    assert batch.twins.shape == (2, INPUT_PX, INPUT_PX, 3)
    assert batch.twin_target.verts_m.shape == (2, 778, 3)
    assert batch.sample_ids == ("00000003", "00000000", "00000002")


def test_a_batch_without_twins_has_none(split: FreiHandSplit) -> None:
    batch = collate([dataset(split)[SampleKey(0)]])
    assert batch.twins.shape == (0, INPUT_PX, INPUT_PX, 3)
    assert batch.twin_target.joints_m.shape == (0, 21, 3)


def test_normalised_pictures_have_imagenets_statistics_and_channels_last() -> None:
    mean_colour = torch.tensor([0.485, 0.456, 0.406]).mul(255).expand(2, 8, 8, 3)
    normalised = normalise(mean_colour.round().to(torch.uint8))
    assert normalised.shape == (2, 3, 8, 8)
    assert float(normalised.abs().max()) < 0.01
    assert normalised.is_contiguous(memory_format=torch.channels_last)


def test_workers_change_nothing_and_take_a_new_plan(split: FreiHandSplit) -> None:
    plans = [
        [[SampleKey(0, epoch=0), SampleKey(1, epoch=0)]],
        [[SampleKey(2, epoch=1)], [SampleKey(3, epoch=1)]],
    ]
    plan = BatchPlan()
    loader = load_batches(dataset(split), plan, workers=1)
    for batches in plans:
        plan.batches = batches
        expected = [collate([dataset(split)[draw] for draw in batch]) for batch in batches]
        found = list(loader)
        assert [batch.sample_ids for batch in found] == [batch.sample_ids for batch in expected]
        for one, other in zip(found, expected, strict=True):
            assert torch.equal(one.photos, other.photos)


def test_a_broken_photograph_is_named(tmp_path: Path) -> None:
    broken = small_split(tmp_path, "training", num_images=2)
    broken.image_path(1).write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"00000001\.jpg: expected a decodable image") as direct:
        dataset(broken)[SampleKey(1)]
    loader = load_batches(dataset(broken), BatchPlan([[SampleKey(1)]]), workers=1)
    with pytest.raises(DatasetError) as from_worker:
        list(one_line_errors(loader))
    assert str(from_worker.value) == str(direct.value)


def test_a_temporary_folder_whose_name_is_too_long_for_sockets_is_one_line(
    split: FreiHandSplit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/tmp/" + "long/" * 20)
    with pytest.raises(ConfigError, match=r"TMPDIR: expected at most \d+ bytes") as told:
        load_batches(dataset(split), BatchPlan(), workers=1)
    assert len(str(told.value).splitlines()) == 1


def test_a_crop_larger_than_the_photograph_is_refused(split: FreiHandSplit) -> None:
    with pytest.raises(ConfigError, match=r"data.crop_px: expected at most the 64 of"):
        HandDataset(split, crop_px=65, input_px=48)


def test_meshes_of_another_hand_model_are_refused(split: FreiHandSplit) -> None:
    """MANO and the open hand have 778 vertices each, in different orders."""
    model = load_hand_model()
    check_labels(split, model)
    shuffled = model.joint_regressor[:, np.random.default_rng(0).permutation(model.num_verts)]
    with pytest.raises(ConfigError, match=r"expected joints within 15 mm .* Set hand_model"):
        check_labels(split, replace(model, joint_regressor=shuffled))
    with pytest.raises(ConfigError, match=r"expected meshes of 777 vertices"):
        check_labels(split, replace(model, template_m=model.template_m[1:]))
