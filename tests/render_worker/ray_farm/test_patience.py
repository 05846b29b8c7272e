"""Waiting, with a limit."""

import pytest

from render_worker.ray_farm.patience import Patience


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds, to be set."""
    now_s = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now_s[0])
    return now_s


def test_the_time_runs_from_when_it_was_first_missing(clock: list[float]) -> None:
    patience = Patience(10.0)
    states = [patience.is_waiting]
    patience.begin()
    clock[0] += 9
    patience.begin()
    states += [patience.is_waiting, patience.is_over]
    clock[0] += 2
    states += [patience.is_over]
    assert states == [False, True, False, True]


def test_what_was_there_in_between_is_waited_for_anew(clock: list[float]) -> None:
    patience = Patience(10.0)
    patience.begin()
    clock[0] += 9
    patience.end()
    clock[0] += 9
    assert not patience.is_over
    patience.begin()
    clock[0] += 9
    assert not patience.is_over


def test_it_warns_once_each_time(clock: list[float]) -> None:
    patience = Patience(10.0)
    patience.begin()
    assert [patience.warns_now(), patience.warns_now()] == [True, False]
    assert patience.end()
    assert not patience.end()
    assert patience.warns_now()
