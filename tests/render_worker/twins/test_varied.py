"""A varied hand is the same hand elsewhere: nothing but what was asked for changes."""

import numpy as np
import pytest

from render_worker.twins.varied import vary
from shared.twins.variation import AS_PREDICTED, Variation
from tests.support.small_scene import open_hand
from trainer.hands.sampled import labelled_hand

HAND = labelled_hand(open_hand(), seed=0, index=0)


def angle_deg(turn: object) -> float:
    return float(np.degrees(np.arccos(np.clip((np.trace(np.array(turn)) - 1) / 2, -1, 1))))


def test_without_a_variation_the_prediction_itself_is_drawn() -> None:
    drawn = vary(HAND.verts_m, HAND.joints_m, AS_PREDICTED, seed=1)
    assert drawn.verts_m is HAND.verts_m
    assert drawn.joints_m is HAND.joints_m


def test_a_turned_hand_keeps_its_shape_and_its_middle() -> None:
    drawn = vary(HAND.verts_m, HAND.joints_m, Variation(view_spread_deg=60), seed=1)
    np.testing.assert_allclose(drawn.joints_m.mean(axis=0), HAND.joints_m.mean(axis=0), atol=1e-6)
    before, after = (np.concatenate(hand)[::40] for hand in ((HAND.verts_m, HAND.joints_m), drawn[:2]))
    np.testing.assert_allclose(
        np.linalg.norm(after[:, None] - after, axis=2),
        np.linalg.norm(before[:, None] - before, axis=2),
        atol=1e-6,
    )


@pytest.mark.parametrize("spread_deg", [10.0, 90.0])
def test_turns_are_within_the_spread_about_every_axis(spread_deg: float) -> None:
    variation = Variation(view_spread_deg=spread_deg)
    turns = [vary(HAND.verts_m, HAND.joints_m, variation, seed=seed).turn for seed in range(200)]
    angles_deg = [angle_deg(turn) for turn in turns]
    assert max(angles_deg) <= spread_deg + 1e-6
    assert np.mean(angles_deg) == pytest.approx(spread_deg / 2, rel=0.2)
    matrices = np.array(turns)
    axes = matrices[:, (2, 0, 1), (1, 2, 0)] - matrices[:, (1, 2, 0), (2, 0, 1)]
    assert np.abs((axes / np.linalg.norm(axes, axis=1, keepdims=True)).mean(axis=0)).max() < 0.15


def test_the_same_seed_draws_the_same_hand() -> None:
    variation = Variation(view_spread_deg=60)
    first, again, other = (vary(HAND.verts_m, HAND.joints_m, variation, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.verts_m, again.verts_m)
    assert first.turn == again.turn != other.turn
