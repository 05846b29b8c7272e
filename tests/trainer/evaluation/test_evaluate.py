"""From a checkpoint or a prediction file to a table, JSON, CSV, and something to upload."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from shared.errors import CheckpointError, DatasetError, DeviceError, HandModelError, TrainingError
from shared.freihand import FreiHandSplit
from shared.hand_model import load_hand_model
from shared.hand_model.model import MANO_FINGERTIPS
from tests.support.mano_files import write_mano_pickle
from tests.support.perfect_hands import perfect_predictions
from tests.support.small_dataset import SIZE_PX, labelled_hand, small_split
from trainer.config.run import TrainConfig
from trainer.config.toml import to_toml
from trainer.drawing.contact_sheet import TILE_PX
from trainer.evaluation.evaluate import (
    Evaluation,
    evaluate_checkpoint,
    score_file,
    score_fingertips,
    score_photographs,
    score_submission,
)
from trainer.evaluation.metrics import ConstantHandScores, score_hands
from trainer.evaluation.report import fingertips_note
from trainer.evaluation.sheet import draw_evaluation_sheet
from trainer.evaluation.submission import Submission, write_submission
from trainer.networks.base import HandNetwork
from trainer.networks.build import build_network
from trainer.run.checkpoint import save_checkpoint
from trainer.run.trained import TrainedHand, load_trained
from trainer.types import HandPrediction


@pytest.fixture
def split(tmp_path: Path) -> FreiHandSplit:
    return small_split(tmp_path / "data")


def config_of(root: Path, run_dir: Path) -> TrainConfig:
    return TrainConfig.model_validate(
        {
            "run_dir": run_dir,
            "data": {"root": root, "crop_px": SIZE_PX // 2, "input_px": 32},
            "model": {"name": "regressor", "backbone": "mobilenet_v2", "pretrained": True},
        }
    )


@pytest.fixture
def run(tmp_path: Path, split: FreiHandSplit) -> Path:
    """A run whose best checkpoint is an untrained network."""
    config = config_of(split.root, tmp_path / "run")
    torch.manual_seed(0)
    network = build_network(config.model.model_copy(update={"pretrained": False}), load_hand_model())
    folder = config.run_dir / "checkpoints" / "round-0004"
    save_checkpoint(folder, network, {}, texts={"config.toml": to_toml(config)})
    (config.run_dir / "checkpoints" / "best").write_text("round-0004\n")
    return config.run_dir


class Oracle(HandNetwork):
    """Answers with the labels, photograph by photograph, in the frame of the crop."""

    def __init__(self, split: FreiHandSplit, *, crop_share: float) -> None:
        super().__init__()
        self.anchor = torch.nn.Parameter(torch.zeros(()))
        self.split = split
        self.crop_share = crop_share
        self.asked = 0

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> HandPrediction:
        rows = slice(self.asked, self.asked + len(images))
        self.asked += len(images)
        joints_m, verts_m = self.split.joints_m[rows], self.split.verts_m[rows]
        depth_m = joints_m[:, :, 2].mean(axis=1)
        focal = self.split.intrinsics[rows, 0, 0] / depth_m * 2 / self.split.image_px
        scale = torch.from_numpy(focal.astype(np.float32) / self.crop_share)
        nowhere = torch.zeros_like(scale)
        return HandPrediction(
            verts_m=torch.from_numpy(verts_m),
            joints_m=torch.from_numpy(joints_m),
            camera=torch.stack([scale, nowhere, nowhere], dim=1),
        )


def evaluated(split: FreiHandSplit, tmp_path: Path) -> Evaluation:
    config = config_of(split.root, tmp_path / "run")
    network = Oracle(split, crop_share=config.data.crop_px / split.image_px)
    return evaluate_checkpoint(TrainedHand(tmp_path, config, load_hand_model(), network), split, batch_size=2)


def test_the_labels_themselves_are_perfect_in_every_frame(split: FreiHandSplit, tmp_path: Path) -> None:
    """The cameras of crop and photograph and the intrinsics have to fit together for this."""
    report = evaluated(split, tmp_path).report
    assert report is not None
    assert report.scores.pa_mpjpe_mm == pytest.approx(0, abs=1e-3)
    assert report.scores.rr_mpvpe_mm == pytest.approx(0, abs=1e-3)
    assert report.scores.mpjpe_mm < 20  # weak perspective, and hands of 20 cm half a metre away
    assert report.warning is None


def test_a_network_that_computes_nonsense_is_refused_naming_a_photograph(
    split: FreiHandSplit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(oracle: Oracle, images: Tensor) -> HandPrediction:
        hand = forward(oracle, images)
        hand.verts_m[-1, 3] = torch.nan
        return hand

    forward = Oracle.forward
    monkeypatch.setattr(Oracle, "forward", broken)
    with pytest.raises(CheckpointError, match=r"infinity in 2 of 3, the first being 00000001\. Choose"):
        evaluated(split, tmp_path)
    network = Oracle(split, crop_share=1)
    data = config_of(split.root, tmp_path).data.model_copy(update={"workers": 0})
    with pytest.raises(TrainingError, match="the first being 00000002"):
        score_photographs(network, split, [0, 2], data=data)


def test_the_file_of_a_checkpoint_scores_as_the_checkpoint(split: FreiHandSplit, tmp_path: Path) -> None:
    evaluation = evaluated(split, tmp_path)
    assert evaluation.report is not None
    write_submission(tmp_path / "pred.zip", evaluation.submission)
    scores = score_file(tmp_path / "pred.zip", split).scores
    assert scores.mpjpe_mm == pytest.approx(evaluation.report.scores.mpjpe_mm, abs=0.002)
    assert scores.f5 == pytest.approx(evaluation.report.scores.f5, abs=0.01)


def test_a_split_without_labels_gives_predictions_only(split: FreiHandSplit, tmp_path: Path) -> None:
    with_labels = evaluated(split, tmp_path)
    for kind in ("xyz", "verts", "mano", "scale"):
        (split.root / f"evaluation_{kind}.json").unlink()
    network = Oracle(split, crop_share=0.5)
    bare = FreiHandSplit(split.root, "evaluation")
    trained = TrainedHand(tmp_path, config_of(split.root, tmp_path), load_hand_model(), network)
    evaluation = evaluate_checkpoint(trained, bare, batch_size=2)
    assert evaluation.report is None
    np.testing.assert_array_equal(evaluation.submission.verts_m, with_labels.submission.verts_m)


def test_the_best_checkpoint_of_a_run_is_loaded_and_evaluated(run: Path, split: FreiHandSplit) -> None:
    trained = load_trained(run, device="cpu")
    assert trained.source.name == "round-0004"
    assert not trained.network.training
    assert trained.config.model.model_dump()["pretrained"]
    evaluation = evaluate_checkpoint(trained, split)
    assert evaluation.predictions.sample_ids == ("00000000", "00000001", "00000002")
    assert evaluation.report is not None
    assert evaluation.report.scores.rr_mpjpe_mm > 1


def test_what_is_no_checkpoint_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"expected a run.*found nothing there\. Give the run_dir"):
        load_trained(tmp_path / "nowhere")
    with pytest.raises(CheckpointError, match="found another folder"):
        load_trained(tmp_path)
    weights = run / "checkpoints" / "round-0004" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"model\.safetensors: expected the file that was written"):
        load_trained(run)


def test_a_checkpoint_of_another_hand_model_is_refused(run: Path) -> None:
    """Another hand with as many vertices would load, and be wrong without a word."""
    (run / "checkpoints" / "round-0004" / "provenance.json").write_text(
        '{"hand_model_sha256": "0123456789abc"}'
    )
    with pytest.raises(
        HandModelError,
        match=r"round-0004: expected the hand model of its training \(sha256 0123456789ab\), found",
    ):
        load_trained(run, device="cpu")


def test_a_checkpoint_knows_which_part_of_its_photographs_it_saw(run: Path) -> None:
    """FreiHAND's 224 px if it does not say."""
    assert load_trained(run, device="cpu").crop_share == SIZE_PX / 2 / 224
    provenance = run / "checkpoints" / "round-0004" / "provenance.json"
    provenance.write_text('{"image_px": 360}')
    assert load_trained(run, device="cpu").crop_share == SIZE_PX / 2 / 360
    provenance.write_text('{"image_px": "large"}')
    with pytest.raises(CheckpointError, match=r"expected image_px.*found large\. Copy"):
        load_trained(run, device="cpu")


def test_a_device_that_is_missing_is_an_error_and_not_a_fallback(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="expected a CUDA device"):
        load_trained(run, device="cuda")
    assert next(load_trained(run, device="auto").network.parameters()).device.type == "cpu"


def test_fingertips_of_mano_cannot_be_asked_of_another_hand(run: Path) -> None:
    with pytest.raises(HandModelError, match="legacy fingertips"):
        load_trained(run, fingertips="legacy")


def test_the_sheet_shows_the_worst_photographs_if_asked(split: FreiHandSplit, tmp_path: Path) -> None:
    shift_m = np.zeros((3, 778, 3), np.float32)
    shift_m[2, ::2] = 0.01
    joints_m = split.joints_m.copy()
    joints_m[2, ::2] += 0.01
    submission = Submission(joints_m, split.verts_m + shift_m)
    report = score_submission(submission, split, predictor="one bad hand")
    evaluation = Evaluation(evaluated(split, tmp_path).predictions, submission, report)
    worst = draw_evaluation_sheet(evaluation, split, load_hand_model(), count=1, selection="worst")
    first = draw_evaluation_sheet(evaluation, split, load_hand_model(), count=1)
    assert worst.size == first.size
    photo = np.asarray(Image.fromarray(split.image(2)).resize((TILE_PX, TILE_PX), Image.Resampling.LANCZOS))
    found = np.lib.stride_tricks.sliding_window_view(np.asarray(worst), (4, 4, 3))[:, :, 0]
    assert (found == photo[:4, :4]).all(axis=(2, 3, 4)).any()


def test_a_sheet_without_labels_shows_predictions_alone(split: FreiHandSplit, tmp_path: Path) -> None:
    with_labels = evaluated(split, tmp_path)
    without = replace(with_labels, report=None)
    sheets = [draw_evaluation_sheet(each, split, load_hand_model()) for each in (with_labels, without)]
    assert sheets[0].size == sheets[1].size
    assert sheets[0] != sheets[1]


def test_the_hand_model_decides_where_fingertips_are(split: FreiHandSplit, tmp_path: Path) -> None:
    """With MANO, `fingertips` exchanges five rows of the regressor; everything else must stay."""
    model = load_hand_model()
    tips = [4, 8, 12, 16, 20]
    regressor = model.joint_regressor.copy()
    regressor[tips] = np.roll(regressor[tips], 1, axis=1)
    config = config_of(split.root, tmp_path)
    network = Oracle(split, crop_share=0.5)
    other = TrainedHand(tmp_path, config, replace(model, joint_regressor=regressor), network)
    found, usual = evaluate_checkpoint(other, split), evaluated(split, tmp_path)
    differing = np.abs(found.predictions.joints_m - usual.predictions.joints_m).max(axis=(0, 2)) > 1e-5
    assert np.flatnonzero(differing).tolist() == tips
    np.testing.assert_allclose(found.predictions.verts_m, usual.predictions.verts_m, atol=1e-6)


class TestReport:
    def test_json_has_all_numbers(self, split: FreiHandSplit, tmp_path: Path) -> None:
        report = evaluated(split, tmp_path).report
        assert report is not None
        content = json.loads(json.dumps(report.to_json(), allow_nan=False))
        assert content["num_hands"] == 3
        assert content["scores"]["pa_mpvpe_mm"] == pytest.approx(report.scores.pa_mpvpe_mm)

    def test_the_table_names_what_was_compared(self, split: FreiHandSplit, tmp_path: Path) -> None:
        report = evaluated(split, tmp_path).report
        assert report is not None
        lines = report.to_text().splitlines()
        assert lines[0] == f"3 hands of {split.root} (evaluation), predicted by {tmp_path}"
        assert lines[1].split() == ["aligned", "(PA)", "to", "the", "wrist", "absolute"]
        assert [line.split("  ")[0] for line in lines[2:]] == [
            "joints, mm",
            "vertices, mm",
            "F@5",
            "F@15",
            "AUC joints",
            "AUC vertices",
        ]

    def test_one_hand_for_all_photographs_stands_beside_as_what_has_to_be_beaten(
        self, split: FreiHandSplit, tmp_path: Path
    ) -> None:
        report = evaluated(split, tmp_path).report
        assert report is not None
        assert report.to_json()["constant_hand"] is None  # of three hands
        compared = replace(report, constant_hand=ConstantHandScores(15.111, 12.266))
        assert "One hand for all of them" in compared.to_text()
        assert "PA-MPJPE 15.11 mm and PA-MPVPE 12.27 mm." in compared.to_text()
        assert compared.to_json()["constant_hand"] == {"pa_mpjpe_mm": 15.111, "pa_mpvpe_mm": 12.266}

    def test_csv_has_a_line_per_hand_that_averages_to_the_table(
        self, split: FreiHandSplit, tmp_path: Path
    ) -> None:
        shifted = Submission(split.joints_m + 0.01, split.verts_m + np.array([0.01, 0, 0], np.float32))
        report = score_submission(shifted, split, predictor="a shift")
        report.write_csv(tmp_path / "hands.csv")
        with (tmp_path / "hands.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert [row["sample_id"] for row in rows] == ["00000000", "00000001", "00000002"]
        assert np.mean([float(row["mpvpe_mm"]) for row in rows]) == pytest.approx(10, rel=1e-4)

    def test_a_mirrored_prediction_is_called_out(self, split: FreiHandSplit) -> None:
        mirror = np.array([-1, 1, 1], np.float32)
        report = score_submission(
            Submission(split.joints_m * mirror, split.verts_m * mirror), split, predictor="a left hand"
        )
        assert report.warning is not None
        assert "100% of the hands fit better as mirror images" in report.to_text()
        assert report.to_json()["warning"] == report.warning

    def test_images_that_share_a_pose_share_its_labels(self, split: FreiHandSplit) -> None:
        photos = split.root / "evaluation" / "rgb"
        for index in range(3):
            (photos / f"{index + 3:08d}.jpg").write_bytes((photos / f"{index:08d}.jpg").read_bytes())
        twice = FreiHandSplit(split.root, "evaluation")
        labels = [labelled_hand(index % 3) for index in range(6)]
        submission = Submission(
            np.stack([hand.joints_m for hand in labels]), np.stack([hand.verts_m for hand in labels])
        )
        report = score_submission(submission, twice, predictor="the labels")
        assert len(report.sample_ids) == 6
        assert report.scores.mpvpe_mm == pytest.approx(0, abs=1e-3)

    def test_a_file_needs_labels_to_be_scored(self, split: FreiHandSplit, tmp_path: Path) -> None:
        (split.root / "evaluation_verts.json").unlink()
        with pytest.raises(DatasetError, match=r"expected evaluation_verts\.json"):
            score_file(tmp_path / "pred.json", FreiHandSplit(split.root, "evaluation"))


def test_both_definitions_of_fingertips_are_told_where_mano_has_no_joints(tmp_path: Path) -> None:
    """The same meshes, scored against the same labels: only the definition makes the difference."""
    mano = load_hand_model(write_mano_pickle(tmp_path / "MANO_RIGHT.pkl"))
    split = small_split(tmp_path / "data", "evaluation", num_images=3)
    hands = perfect_predictions(split, range(3))
    noise_m = np.random.default_rng(0).normal(size=hands.verts_m.shape, scale=0.004).astype(np.float32)
    hands = replace(hands, verts_m=hands.verts_m + noise_m)
    found = score_fingertips(hands, split, mano)
    for name in MANO_FINGERTIPS:
        model = load_hand_model(tmp_path / "MANO_RIGHT.pkl", fingertips=name)
        expected = score_hands(
            model.joint_regressor @ hands.verts_m, hands.verts_m, split.joints_m, split.verts_m
        )
        assert found[name] == pytest.approx(expected.pa_mpjpe_mm, rel=1e-5)
    assert found["default"] != found["legacy"]
    note = fingertips_note(found)
    assert f"is {found['default']:.2f} mm with FreiHAND's fingertips (vertices 744," in note
    assert f"and {found['legacy']:.2f} mm with those of METRO" in note
    assert score_fingertips(hands, split, load_hand_model()) == {}
