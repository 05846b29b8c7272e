"""Hard photographs get more twins, and all together as many as before."""

from collections import Counter

import pytest

from shared.twins.names import photograph_of
from trainer.recycle.hard_samples import hard_twins, most_twins

NAMES = [f"{number:08d}" for number in range(400)]


def counts_of(errors_mm: dict[str, float], *, twins: int = 1, round_index: int = 0) -> Counter[str]:
    names = hard_twins(NAMES, errors_mm, twins_per_photograph=twins, round_index=round_index, seed=0)
    assert len(set(names)) == len(names)
    return Counter(map(photograph_of, names))


@pytest.mark.parametrize("twins", [1, 3])
def test_as_many_twins_are_drawn_as_if_all_were_equal(twins: int) -> None:
    errors_mm = {name: 1.0 + number % 7 for number, name in enumerate(NAMES)}
    for round_index in range(5):
        counts = counts_of(errors_mm, twins=twins, round_index=round_index)
        assert counts.total() == 400 * twins
        assert max(counts.values()) <= most_twins(twins)


def test_without_an_error_that_is_known_all_are_equal() -> None:
    assert set(counts_of({}).values()) == {1}


def test_a_photograph_gets_twins_in_proportion_to_its_error() -> None:
    errors_mm = {name: 3.0 if number < 100 else 1.0 for number, name in enumerate(NAMES)}
    counts = counts_of(errors_mm)
    hard = sum(counts[name] for name in NAMES[:100])
    assert hard == pytest.approx(200, abs=1)


def test_a_broken_prediction_does_not_take_the_round() -> None:
    counts = counts_of(dict.fromkeys(NAMES, 1.0) | {NAMES[5]: 1e6})
    assert counts[NAMES[5]] <= 4
    assert len(counts) > 390


def test_the_easy_ones_take_turns_and_a_round_is_the_same_when_it_is_planned_again() -> None:
    errors_mm = {name: 5.0 if number < 200 else 1.0 for number, name in enumerate(NAMES)}
    rounds = [counts_of(errors_mm, round_index=number) for number in (0, 1, 0)]
    assert rounds[0] == rounds[2] != rounds[1]
