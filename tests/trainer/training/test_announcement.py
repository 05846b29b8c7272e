"""What a run says at its start, in its middle, and when its predictions are no hands yet."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.fakes import PointRenderer
from tests.support.small_dataset import labelled_hand
from tests.support.small_hands import open_hand
from tests.support.small_run import small_config
from trainer.data.sources import open_sources
from trainer.recycle.plausibility import doubt_about
from trainer.run.folder import RunFolder
from trainer.run.records import read_records
from trainer.training.announcement import Pace, describe_start, in_words, time_left
from trainer.training.loop import train


def said_by(folder: Path, caplog: pytest.LogCaptureFixture, **changes: object) -> str:
    caplog.clear()
    with caplog.at_level(logging.INFO):
        train(small_config(folder, **changes), renderer=PointRenderer(), resume=False)
    return caplog.text


def test_a_run_says_what_learns_from_what_and_how_long_it_will_take(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said = said_by(tmp_path, caplog)
    for part in (
        "million parameters",
        "CPU",
        "32-true",
        "12 photographs and 2 held out",
        "12 from round 2 on, all drawn in every round",
        "3 of 3 steps",
        str(tmp_path / "run"),
        "left for 2 more rounds",
    ):
        assert part in said, part


def told_at_the_start(folder: Path, **changes: object) -> str:
    config = small_config(folder, **changes)
    return describe_start(
        config,
        device=torch.device("cpu"),
        processes=2,
        num_parameters=1_250_000,
        sources=open_sources(config),
        steps_per_round=3,
    )


def test_all_twins_of_a_photograph_are_counted_and_hard_ones_are_named(tmp_path: Path) -> None:
    recycle = {"backgrounds": "b", "twins_per_photograph": 3}
    assert "36 from round 2 on, all drawn in every round" in told_at_the_start(
        tmp_path / "all", recycle=recycle
    )
    told = told_at_the_start(tmp_path / "hard", recycle=recycle | {"samples": "hard"})
    assert (
        "36 from round 2 on, drawn in every round, more of the photographs whose twins are seen worst" in told
    )


def test_sources_and_a_limit_are_said(tmp_path: Path) -> None:
    told = told_at_the_start(tmp_path, recycle={"backgrounds": "b", "start_below_mm": 9.5}, rounds=4)
    assert "1.2 million parameters" in told
    assert "2 processes" in told
    assert "once the held-out error is below 9.5 mm" in told


def test_time_is_told_as_people_say_it() -> None:
    seconds = (4.4, 89, 90, 3599, 3600, 12_345, 86_400, 200_000)
    assert [in_words(each) for each in seconds] == [
        *("4 s", "89 s", "2 min", "60 min", "1 h 0 min", "3 h 26 min", "1 d 0 h", "2 d 8 h"),
    ]


def test_the_first_steps_are_timed_once() -> None:
    pace = Pace()
    told = [pace.after_step(left_in_round=10, left_later=0, rounds_left=1) for _ in range(40)]
    assert sum(each is not None for each in told) == 1


def test_nothing_is_left_at_the_end(tmp_path: Path) -> None:
    train(small_config(tmp_path, recycle=None, rounds=1), renderer=None, resume=True)
    records = read_records(RunFolder(tmp_path / "run"))
    assert time_left(records, 1) is None
    left = time_left(records, 3)
    assert left is not None
    assert left.endswith("left for 2 more rounds.")


def test_spikes_and_a_single_hand_are_doubted_and_hands_are_not() -> None:
    faces = open_hand().faces
    labels_m = np.stack([labelled_hand(index).verts_m for index in range(6)])
    noise_m = np.random.default_rng(0).normal(0, 0.004, labels_m.shape).astype(np.float32)
    assert doubt_about(labels_m, labels_m, faces) is None
    assert doubt_about(labels_m + 0.1 * noise_m, labels_m, faces) is None
    assert "as in spikes" in (doubt_about(labels_m + noise_m, labels_m, faces) or "")
    alike_m = np.repeat(labels_m[:1], 6, axis=0)
    assert "they differ by 0.0 mm" in (doubt_about(alike_m, labels_m, faces) or "")


def test_flat_hands_are_doubted() -> None:
    faces = open_hand().faces
    labels_m = np.stack([labelled_hand(index).verts_m for index in range(6)])
    assert doubt_about(narrower(labels_m, 0.85), labels_m, faces) is None
    assert "they are 70% as wide as the labels" in (
        doubt_about(narrower(labels_m, 0.7), labels_m, faces) or ""
    )


def narrower(verts_m: np.ndarray, share: float) -> np.ndarray:
    """Return hands that reach less far along their second longest direction."""
    centre_m = verts_m.mean(axis=1, keepdims=True)
    _, _, directions = np.linalg.svd(verts_m - centre_m, full_matrices=False)
    across = directions[:, 1:2]
    along_it = (verts_m - centre_m) @ across.transpose(0, 2, 1)
    narrow: np.ndarray = verts_m - (1 - share) * along_it * across
    return narrow


def test_predictions_that_are_the_mean_hand_are_said_to_be_no_hands_before_they_are_drawn(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said = said_by(tmp_path, caplog, rounds=2, optimiser={"learning_rate": 1e-7})
    assert "The predictions of round 1 are not hands yet: they differ by" in said
    assert said.index("are not hands yet") < said.index("round 1/2")


def test_nothing_is_drawn_until_the_held_out_error_is_below_the_limit(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    plain = tmp_path / "plain"
    train(small_config(plain, rounds=4, recycle=None), renderer=None, resume=True)
    errors_mm = [record.scores["pa_mpjpe_mm"] for record in read_records(RunFolder(plain / "run"))]
    best = min(range(3), key=lambda number: errors_mm[number])
    limit_mm = errors_mm[best] + 1e-6
    first = next(number for number in range(4) if errors_mm[number] < limit_mm)
    recycle = {"backgrounds": "unused", "start_below_mm": limit_mm}
    renderer = PointRenderer()
    with caplog.at_level(logging.INFO):
        train(small_config(tmp_path, rounds=4, recycle=recycle), renderer=renderer, resume=True)
    records = read_records(RunFolder(tmp_path / "run"))
    with_twins = ["recycled" in record.losses for record in records]
    assert with_twins == [number > first for number in range(4)]
    assert [job.round_index for job in renderer.jobs] == list(range(first, 3))
    assert "predictions are drawn from now on" in caplog.text
    resumed = PointRenderer()
    train(small_config(tmp_path, rounds=4, recycle=recycle), renderer=resumed, resume=True)
    assert resumed.jobs == []


def test_a_limit_that_is_never_reached_leaves_a_baseline(tmp_path: Path) -> None:
    renderer = PointRenderer()
    recycle = {"backgrounds": "unused", "start_below_mm": 1e-3}
    train(small_config(tmp_path, rounds=2, recycle=recycle), renderer=renderer, resume=True)
    assert renderer.jobs == []
