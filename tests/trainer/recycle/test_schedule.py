"""Which round trains with which renders."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.config.recycling import RecycleConfig
from trainer.recycle.schedule import TwinSchedule


def schedule_of(rounds: int, **recycle: Any) -> TwinSchedule:
    return TwinSchedule(RecycleConfig.model_validate({"backgrounds": "unused", **recycle}), rounds)


def twins_of_all(schedule: TwinSchedule) -> list[int | None]:
    return [schedule.twins_of(round_index) for round_index in range(schedule.rounds)]


def test_a_round_trains_with_the_predictions_of_the_round_before_it() -> None:
    assert twins_of_all(schedule_of(4)) == [None, 0, 1, 2]


def test_overlapping_rounds_train_with_those_of_the_round_before_that() -> None:
    assert twins_of_all(schedule_of(5, mode="overlap")) == [None, None, 0, 1, 2]


@pytest.mark.parametrize(("mode", "expected"), [("alternate", [None] * 3 + [2]), ("overlap", [None] * 4)])
def test_so_many_rounds_of_warm_up_train_without_twins(mode: str, expected: list[int | None]) -> None:
    assert twins_of_all(schedule_of(4, warmup_rounds=3, mode=mode)) == expected


def test_every_round_trains_with_renders_of_the_labels_that_are_its_own() -> None:
    schedule = schedule_of(3, source="ground_truth")
    assert twins_of_all(schedule) == [0, 1, 2]
    assert not any(schedule.is_drawn(round_index) for round_index in range(3))


def test_a_baseline_has_no_twins() -> None:
    schedule = TwinSchedule(None, rounds=3)
    assert twins_of_all(schedule) == [None] * 3
    assert not any(schedule.is_drawn(round_index) for round_index in range(3))


@given(
    rounds=st.integers(1, 9), warmup_rounds=st.integers(1, 9), mode=st.sampled_from(["alternate", "overlap"])
)
def test_what_is_drawn_is_what_is_trained_with(rounds: int, warmup_rounds: int, mode: str) -> None:
    schedule = schedule_of(rounds, warmup_rounds=warmup_rounds, mode=mode)
    drawn = {round_index for round_index in range(rounds) if schedule.is_drawn(round_index)}
    assert drawn == {twins for twins in twins_of_all(schedule) if twins is not None}
    for round_index in range(rounds):
        twins = schedule.twins_of(round_index)
        assert twins is None or twins == schedule.drawn_before(round_index) < round_index
