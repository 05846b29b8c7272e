import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from shared.errors import ConfigError, HandModelError
from shared.freihand import FreiHandSplit
from shared.hand_model.loading import EMBEDDED_MODEL, load_hand_model
from shared.twins.predictions import read_predictions
from shared.twins.rounds import SyntheticRound
from tests.support.fakes import PointRenderer
from tests.support.kill_points import Killed, killing_call
from tests.support.perfect_hands import perfect_predictions
from tests.support.small_hands import TINY_BACKBONE
from tests.support.small_run import JOINT_READER, NUM_IMAGES, small_config
from trainer.evaluation import evaluate, held_out_scores
from trainer.networks.base import HandNetwork
from trainer.recycle import prediction_shards
from trainer.run.checkpoint import STATE, WEIGHTS, load_state
from trainer.run.folder import RunFolder
from trainer.run.log import RunLog
from trainer.run.records import read_records
from trainer.training.learner import Learner
from trainer.training.loop import train
from trainer.training.loss_meter import LossMeter

NUM_TRAINING = NUM_IMAGES - 2


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    train(small_config(folder), renderer=PointRenderer(), resume=False)
    return folder / "run"


def test_every_round_trains_evaluates_predicts_and_renders_for_the_next(uninterrupted: Path) -> None:
    records = read_records(RunFolder(uninterrupted))
    assert [record.round for record in records] == [0, 1, 2]
    assert all({"train", "evaluate"} <= record.wall_s.keys() for record in records)
    assert [record.rendered for record in records] == [NUM_TRAINING, NUM_TRAINING, 0]
    assert [set(record.wall_s) >= {"predict", "render"} for record in records] == [True, True, False]


def test_warm_up_has_no_twins_and_later_rounds_do(uninterrupted: Path) -> None:
    records = read_records(RunFolder(uninterrupted))
    assert ["recycled" in record.losses for record in records] == [False, True, True]
    assert ["correlation" in record.losses for record in records] == [False, True, True]


def test_predictions_are_those_of_the_photographs_that_are_learnt_from(uninterrupted: Path) -> None:
    shards = [read_predictions(path) for path in sorted((uninterrupted / "predictions/round-0001").iterdir())]
    names = [name for shard in shards for name in shard.sample_ids]
    assert [len(shard) for shard in shards] == [5, 5, 2]
    assert len(set(names)) == NUM_TRAINING
    assert {shard.round_index for shard in shards} == {1}
    assert {shard.image_px for shard in shards} == {64}


def test_a_run_can_be_repeated_from_its_folder(uninterrupted: Path) -> None:
    """Configuration, commit and lock lie beside every checkpoint."""
    checkpoint = uninterrupted / "checkpoints" / (uninterrupted / "checkpoints/best").read_text()
    assert (checkpoint / "config.toml").read_text() == (uninterrupted / "config.toml").read_text()
    provenance = json.loads((checkpoint / "provenance.json").read_text())
    assert provenance.keys() >= {"commit", "lock_sha256", "packages", "python"}
    assert provenance["hand_model_sha256"] == load_hand_model().sha256
    assert provenance["image_px"] == 64


@pytest.mark.parametrize(
    ("owner", "name", "call"),
    [
        pytest.param(Learner, "step", 2, id="first-step-after-the-first"),
        pytest.param(Learner, "step", 6, id="mid-epoch-with-twins"),
        pytest.param(held_out_scores, "score_photographs", 2, id="mid-evaluation"),
        pytest.param(prediction_shards, "write_predictions", 5, id="mid-prediction"),
        pytest.param(PointRenderer, "render_shard", 5, id="mid-render"),
        pytest.param(RunLog, "round", 2, id="after-the-render"),
        pytest.param(LossMeter, "clear", 2, id="between-rounds"),
        pytest.param(Learner, "share_statistics", 3, id="after-the-last-step"),
    ],
)
def test_an_interrupted_run_ends_with_the_bits_of_an_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uninterrupted: Path, owner: Any, name: str, call: int
) -> None:
    config = small_config(tmp_path)
    with monkeypatch.context() as patch:
        killing_call(patch, owner, name, call=call)
        with pytest.raises(Killed):
            train(config, renderer=PointRenderer(), resume=False)
    train(config, renderer=PointRenderer(), resume=True)
    for checkpoint in ("round-0001", "round-0002"):
        found, expected = (
            tmp_path / "run/checkpoints" / checkpoint,
            uninterrupted / "checkpoints" / checkpoint,
        )
        assert (found / WEIGHTS).read_bytes() == (expected / WEIGHTS).read_bytes()
        assert_same(load_state(found)["engine"], load_state(expected)["engine"])
    for part in ("losses", "scores"):
        assert metrics(tmp_path / "run", part) == metrics(uninterrupted, part)


@pytest.mark.slow
def test_dropout_too_is_the_same_after_an_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FastMETRO draws a mask per layer and step; the generator's state is in no checkpoint."""
    model = {
        "name": "fastmetro",
        "size": "S",
        "backbone": TINY_BACKBONE,
        "pretrained": False,
        "dims": (32, 16),
    }
    weights = []
    for folder, killed in ((tmp_path / "whole", False), (tmp_path / "cut", True)):
        config = small_config(folder, rounds=2, model=model)
        if killed:
            with monkeypatch.context() as patch:
                killing_call(patch, Learner, "step", call=6)
                with pytest.raises(Killed):
                    train(config, renderer=PointRenderer(), resume=False)
        train(config, renderer=PointRenderer(), resume=killed)
        weights.append((folder / "run/checkpoints/round-0001" / WEIGHTS).read_bytes())
    assert weights[0] == weights[1]


def test_averaged_weights_are_scored_saved_and_the_same_after_an_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The weights that learn go on beside their mean; forgetting either would show."""
    scored: list[HandNetwork] = []

    def score(network: HandNetwork, *arguments: Any, **keywords: Any) -> dict[str, float]:
        scored.append(network)
        return evaluate.score_photographs(network, *arguments, **keywords)

    monkeypatch.setattr(held_out_scores, "score_photographs", score)
    ends = []
    for folder, killed in ((tmp_path / "whole", False), (tmp_path / "cut", True)):
        config = small_config(folder, rounds=2, optimiser__ema_decay=0.9)
        if killed:
            with monkeypatch.context() as patch:
                killing_call(patch, Learner, "step", call=6)
                with pytest.raises(Killed):
                    train(config, renderer=PointRenderer(), resume=False)
        train(config, renderer=PointRenderer(), resume=killed)
        ends.append(folder / "run/checkpoints/round-0001")
    whole, cut = ends
    assert (whole / WEIGHTS).read_bytes() == (cut / WEIGHTS).read_bytes()
    assert_same(load_state(cut)["engine"], load_state(whole)["engine"])
    saved, learning = load_file(cut / WEIGHTS), load_state(cut)["engine"]["learning_weights"]
    assert saved.keys() == learning.keys()
    assert any(not torch.equal(value, learning[name]) for name, value in saved.items())
    assert_same(dict(scored[-1].state_dict()), saved)


@pytest.mark.slow
def test_a_joint_reader_of_boxes_goes_through_rounds_with_twins(tmp_path: Path) -> None:
    """All that strangers' photographs need, at once; predictions are in the frame of the photographs."""
    config = small_config(
        tmp_path,
        rounds=2,
        model={**JOINT_READER, "box_margin": 1.3, "tries_turns": True, "fold_batch_norm": True},
        augment={"upright_share": 0.5, "hue": 0.1, "jpeg_share": 0.5, "cut_out_share": 0.5},
        loss={"projected_outside": False},
        optimiser={"ema_decay": 0.9},
    )
    train(config, renderer=PointRenderer(), resume=False)
    first, last = read_records(RunFolder(tmp_path / "run"))
    assert first.rendered == NUM_TRAINING
    assert "recycled" in last.losses
    (shard, *_) = sorted((tmp_path / "run/predictions/round-0000").iterdir())
    predicted = read_predictions(shard)
    split = FreiHandSplit(config.data.all_sources[0].root, "training")
    true = perfect_predictions(split, [int(name) for name in predicted.sample_ids])
    wrists_ndc, true_ndc = (each.cameras[:, :1] * each.cameras[:, 1:] for each in (predicted, true))
    assert np.abs(wrists_ndc - true_ndc).max() < 1.5


@pytest.mark.slow
def test_accumulated_steps_count_once_and_are_the_same_after_an_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two batches of 2 in each of the 3 steps of a round; the second run is killed in its second round."""
    ends = []
    for folder, killed in ((tmp_path / "whole", False), (tmp_path / "cut", True)):
        config = small_config(folder, rounds=2, data__batch_size=2, optimiser__accumulate=2)
        if killed:
            with monkeypatch.context() as patch:
                killing_call(patch, Learner, "step", call=5)
                with pytest.raises(Killed):
                    train(config, renderer=PointRenderer(), resume=False)
        report = train(config, renderer=PointRenderer(), resume=killed)
        assert [record.steps for record in report.records] == [3, 3]
        ends.append(folder / "run/checkpoints/round-0001")
    whole, cut = ends
    assert (whole / WEIGHTS).read_bytes() == (cut / WEIGHTS).read_bytes()
    assert_same(load_state(cut)["engine"], load_state(whole)["engine"])


@pytest.mark.parametrize(
    ("meant", "said"),
    [
        (None, None),
        (4, None),
        (
            8,
            "from 4 photographs (processes: 1, batches of each: 1 of 4); the configuration is meant for 8",
        ),
        (8, "optimiser.accumulate = 2 makes it so"),
        (6, "Choose another data.batch_size"),
    ],
)
def test_a_step_with_other_photographs_than_were_meant_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, meant: int | None, said: str | None
) -> None:
    config = small_config(tmp_path, rounds=1, recycle=None, optimiser__photos_per_step=meant)
    train(config, renderer=None, resume=False)
    warned = [record.message for record in caplog.records if "photographs (processes" in record.message]
    assert len(warned) == (said is not None)
    assert all(said is not None and said in message for message in warned)


def assert_same(found: Any, expected: Any) -> None:
    """Compare nested states bit by bit."""
    if isinstance(expected, torch.Tensor):
        assert torch.equal(found, expected)
    elif isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            assert_same(found[key], value)
    elif isinstance(expected, list):
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    else:
        assert found == expected


def metrics(run: Path, part: str) -> list[Any]:
    return [getattr(record, part) for record in read_records(RunFolder(run))]


def test_ctrl_c_finishes_the_step_and_saves_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    step = Learner.step

    def interrupted(learner: Learner, *arguments: Any, number: int, **keywords: Any) -> Any:
        if number == 0:
            os.kill(os.getpid(), signal.SIGINT)
        return step(learner, *arguments, number=number, **keywords)

    monkeypatch.setattr(Learner, "step", interrupted)
    config = small_config(tmp_path, checkpoint__every_steps=1000)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(config, renderer=PointRenderer(), resume=False)
    assert signal.getsignal(signal.SIGINT) is before
    assert (tmp_path / "run/checkpoints/round-0000-step-00000001" / STATE).exists()


def test_a_finished_run_resumes_to_nothing(tmp_path: Path) -> None:
    config = small_config(tmp_path, rounds=1, recycle=None)
    first = train(config, renderer=None, resume=False)
    again = train(config, renderer=None, resume=True)
    assert again == first
    assert len(first.records) == 1


def test_a_fresh_run_keeps_the_old_one_apart(tmp_path: Path) -> None:
    config = small_config(tmp_path, rounds=1, recycle=None)
    train(config, renderer=None, resume=False)
    left_over = tmp_path / "run/synthetic/round-0007"
    left_over.mkdir(parents=True)
    train(config, renderer=None, resume=False)
    assert not left_over.exists()
    assert (tmp_path / "run.1/synthetic/round-0007").exists()
    assert len(metrics(tmp_path / "run", "round")) == 1


def test_a_run_can_be_made_longer_but_not_different(tmp_path: Path) -> None:
    train(small_config(tmp_path, rounds=1, recycle=None), renderer=None, resume=False)
    longer = train(small_config(tmp_path, rounds=2, recycle=None), renderer=None, resume=True)
    assert [record.round for record in longer.records] == [0, 1]
    other = small_config(tmp_path, rounds=2, recycle=None, optimiser__weight_decay=0.5)
    with pytest.raises(
        ConfigError, match=r"expected optimiser.weight_decay = 0.0001 as in the run.*found 0.5"
    ):
        train(other, renderer=None, resume=True)


@pytest.mark.slow
def test_an_alternating_run_that_is_made_longer_goes_on_with_twins(tmp_path: Path) -> None:
    train(small_config(tmp_path, rounds=2), renderer=PointRenderer(), resume=False)
    longer = train(small_config(tmp_path, rounds=3), renderer=PointRenderer(), resume=True)
    assert longer.records[2].staleness == {"0": NUM_TRAINING}


def test_an_overlapping_run_cannot_be_made_longer(tmp_path: Path) -> None:
    """Its last round but one predicted nothing, so the first round that is added would have no twins."""
    recycle = {"backgrounds": "unused", "mode": "overlap"}
    train(small_config(tmp_path, rounds=3, recycle=recycle), renderer=PointRenderer(), resume=False)
    longer = small_config(tmp_path, rounds=5, recycle=recycle)
    with pytest.raises(ConfigError, match="expected rounds = 3 as in the run"):
        train(longer, renderer=PointRenderer(), resume=True)


def test_a_run_does_not_go_on_with_another_hand_model(tmp_path: Path) -> None:
    """The path in the configuration is the same; what lies there has changed."""
    hand = tmp_path / "hand.npz"
    shutil.copy(EMBEDDED_MODEL, hand)
    config = small_config(tmp_path, rounds=1, recycle=None, hand_model=hand)
    train(config, renderer=None, resume=False)
    with np.load(hand) as fields:
        np.savez(tmp_path / "hand.npz", **{**fields, "v_template": fields["v_template"] * np.float32(1.01)})
    with pytest.raises(HandModelError, match=r"run: expected the hand model of its training.*hand\.npz"):
        train(config, renderer=None, resume=True)


def test_recycling_without_a_renderer_is_refused_before_anything_is_moved(tmp_path: Path) -> None:
    config = small_config(tmp_path)
    treasure = config.run_dir / "checkpoints" / "treasure"
    treasure.mkdir(parents=True)
    (config.run_dir / "provenance.json").write_text("{}")
    with pytest.raises(ConfigError, match="expected a renderer"):
        train(config, renderer=None, resume=False)
    assert treasure.exists()


def test_the_disk_does_not_fill_up_with_rounds(tmp_path: Path) -> None:
    config = small_config(tmp_path, rounds=4, recycle={"backgrounds": "unused", "keep_rounds": 1})
    train(config, renderer=PointRenderer(), resume=False)
    assert [path.name for path in (tmp_path / "run/synthetic").iterdir()] == ["round-0002"]
    assert [path.name for path in (tmp_path / "run/predictions").iterdir()] == ["round-0002"]


@pytest.mark.slow
def test_a_quarantined_sample_trains_on_without_a_twin(tmp_path: Path) -> None:
    config = small_config(tmp_path, rounds=2)
    report = train(config, renderer=PointRenderer(skipped=("00000003", "00000004")), resume=False)
    record = report.records[0]
    held_out = NUM_TRAINING - record.rendered
    assert record.quarantined == held_out
    assert held_out > 0
    assert "recycled" in report.records[1].losses


def test_longer_warm_up_renders_nothing_before_its_last_round(tmp_path: Path) -> None:
    renderer = PointRenderer()
    config = small_config(tmp_path, recycle={"backgrounds": "unused", "warmup_rounds": 2})
    train(config, renderer=renderer, resume=False)
    assert [job.round_index for job in renderer.jobs] == [1]


LABELS: dict[str, Any] = {"backgrounds": "x", "alpha": 0, "gamma": 0, "source": "ground_truth"}


def test_the_ground_truth_is_drawn_before_every_round(tmp_path: Path) -> None:
    """Table 3: alpha = 0, gamma = 0, ground-truth meshes; backgrounds are as new as those of predictions."""
    renderer = PointRenderer()
    report = train(small_config(tmp_path, recycle=LABELS), renderer=renderer, resume=False)
    assert [job.round_index for job in renderer.jobs] == [0, 1, 2]
    assert all("recycled" in record.losses for record in report.records)
    assert not any("original" in record.losses for record in report.records)
    assert len(SyntheticRound.open(tmp_path / "run/synthetic/round-0002")) == NUM_TRAINING
    assert not (tmp_path / "run/synthetic/round-0000").exists(), "two rounds are kept"


def test_the_ground_truth_is_refreshed_in_turn_and_the_same_after_an_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recycle = LABELS | {"refresh": {"policy": "fraction", "share": 0.5}}
    ends = []
    for folder, killed in ((tmp_path / "whole", False), (tmp_path / "cut", True)):
        config, renderer = small_config(folder, recycle=recycle), PointRenderer()
        if killed:
            with monkeypatch.context() as patch:
                killing_call(patch, PointRenderer, "render_shard", call=5)
                with pytest.raises(Killed):
                    train(config, renderer=renderer, resume=False)
        train(config, renderer=renderer, resume=killed)
        ends.append((folder / "run/checkpoints/round-0002" / WEIGHTS).read_bytes())
        kept = SyntheticRound.open(folder / "run/synthetic/round-0002").count_by_round()
        assert sum(kept.values()) == NUM_TRAINING
        assert 0 < kept[2] < NUM_TRAINING
    assert ends[0] == ends[1]


def test_several_epochs_make_a_round(tmp_path: Path) -> None:
    config = small_config(tmp_path, rounds=2, epochs_per_round=2, recycle={"backgrounds": "unused"})
    report = train(config, renderer=PointRenderer(), resume=False)
    assert [record.steps for record in report.records] == [6, 6]


def test_the_learning_rate_halves_when_the_held_out_error_stops_falling(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors_mm = iter([5.0, 4.0, 4.5, 4.2])
    scores = evaluate.score_photographs

    def scripted(*arguments: Any, **keywords: Any) -> dict[str, float]:
        return {**scores(*arguments, **keywords), "pa_mpjpe_mm": next(errors_mm)}

    monkeypatch.setattr(held_out_scores, "score_photographs", scripted)
    config = small_config(tmp_path, rounds=4, recycle=None, optimiser__plateau_patience=0)
    report = train(config, renderer=None, resume=False)
    assert [record.learning_rate for record in report.records] == [1e-3, 1e-3, 5e-4, 2.5e-4]
    assert report.best_round == 1
    assert report.best_checkpoint.is_dir()


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine"])
def test_a_cycle_ends_with_the_run(tmp_path: Path, schedule: str) -> None:
    config = small_config(tmp_path, rounds=2, recycle=None, optimiser__schedule=schedule)
    report = train(config, renderer=None, resume=False)
    assert report.records[-1].learning_rate < 1e-6
