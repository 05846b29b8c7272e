"""Hands keep their identity when they move and when one is missed, and their side is voted."""

from dataclasses import replace

import numpy as np
import pytest

from shared.types import Side
from tests.trainer.photographs.test_output import hand_at
from trainer.photographs.hand import PhotographedHand
from trainer.photographs.videos.tracks import Tracker

FPS = 25


def identities(frames: list[list[PhotographedHand]]) -> list[list[int]]:
    tracker = Tracker()
    return [
        [track.identity for track in tracker.follow(hands, time_s=number / FPS)]
        for number, hands in enumerate(frames)
    ]


def test_two_hands_that_move_keep_their_numbers_whatever_their_order() -> None:
    frames = []
    for step in range(20):
        hands = [hand_at(60 + 4 * step, 150), hand_at(260 - 4 * step, 150, "left")]
        frames.append(hands if step % 2 else hands[::-1])
    found = identities(frames)
    assert found[1::2] == [found[1]] * 10
    assert found[0::2] == [found[0]] * 10
    assert found[0] == found[1][::-1]


def test_a_hand_that_is_missed_for_a_moment_is_the_same_and_later_another() -> None:
    hand = [hand_at(150, 150)]
    assert identities([hand, *([[]] * 10), hand]) == [[0], *([[]] * 10), [0]]
    assert identities([hand, *([[]] * 30), hand]) == [[0], *([[]] * 30), [1]]


def test_a_hand_elsewhere_is_another() -> None:
    assert identities([[hand_at(40, 150)], [hand_at(280, 150)]]) == [[0], [1]]


def test_both_sides_of_one_place_are_two_hands() -> None:
    pair = [hand_at(150, 150, "left"), hand_at(150, 150, "right")]
    assert identities([pair, pair[::-1], pair]) == [[0, 1], [1, 0], [0, 1]]


def sided(side: Side, confidence: float | None) -> PhotographedHand:
    hand = hand_at(150, 150, side)
    return replace(hand, square=replace(hand.square, confidence=confidence))


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ([("right", 0.9)] * 3 + [("left", 0.9)], "right"),
        ([("left", 0.4), ("right", 0.9)], "right"),
        ([("left", None)] * 2 + [("right", None)], "left"),
        ([("left", 0.9)] * 10 + [("right", 0.9)] * 14, "right"),
    ],
)
def test_the_side_is_what_the_finder_has_mostly_and_surely_said(
    seen: list[tuple[Side, float | None]], expected: Side
) -> None:
    tracker = Tracker()
    for number, (side, confidence) in enumerate(seen):
        (track,) = tracker.follow([sided(side, confidence)], time_s=number / FPS)
        assert track.identity == 0
    assert track.side == expected


def test_a_hand_that_is_no_number_is_followed_without_an_error() -> None:
    broken = replace(hand_at(150, 150), wrist_px=(float("nan"), 0.0))
    found = identities([[hand_at(150, 150)], [broken], [hand_at(150, 150)]])
    assert found[2] == [0]
    assert np.isnan(broken.project(broken.joints_m)).any()
