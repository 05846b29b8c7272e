"""A bent hand is a hand: bones keep their lengths, joints their ranges, and the palm its place."""

import numpy as np
import pytest

from render_worker.picture.mesh import CappedMesh
from render_worker.twins.articulate import PosedHand, articulate
from render_worker.twins.varied import vary
from shared.skeleton import BONES, FINGERS, WRIST
from shared.twins.variation import Variation
from tests.support.small_scene import open_hand
from trainer.hands.sampled import labelled_hand

RIG = CappedMesh.of(open_hand()).rig
HANDS = [labelled_hand(open_hand(), seed=0, index=index) for index in range(20)]


def bent(spread_deg: float) -> list[PosedHand]:
    assert RIG is not None
    return [
        articulate(hand.verts_m, hand.joints_m, RIG, np.random.default_rng(index), spread_deg=spread_deg)
        for index, hand in enumerate(HANDS)
    ]


def test_no_spread_bends_nothing() -> None:
    for hand, posed in zip(HANDS, bent(0.0), strict=True):
        np.testing.assert_allclose(posed.verts_m, hand.verts_m, atol=1e-6)
        np.testing.assert_allclose(posed.joints_m, hand.joints_m, atol=1e-6)


def test_joints_are_those_of_the_bent_mesh() -> None:
    for posed in bent(15.0):
        np.testing.assert_allclose(posed.joints_m, open_hand().joint_regressor @ posed.verts_m, atol=1e-5)


def test_bones_keep_their_lengths_and_the_palm_its_place() -> None:
    knuckles = [WRIST, *(chain[0] for chain in FINGERS.values())]
    start, end = np.array(BONES).T
    moved_mm = []
    for hand, posed in zip(HANDS, bent(15.0), strict=True):
        before, after = (
            np.linalg.norm(joints_m[end] - joints_m[start], axis=1)
            for joints_m in (hand.joints_m, posed.joints_m)
        )
        np.testing.assert_allclose(after, before, atol=0.004)
        np.testing.assert_allclose(posed.joints_m[knuckles], hand.joints_m[knuckles], atol=0.006)
        tips = [chain[-1] for chain in FINGERS.values()]
        moved_mm.append(1000 * np.linalg.norm(posed.joints_m[tips] - hand.joints_m[tips], axis=1).mean())
    assert 5 < np.mean(moved_mm) < 40


@pytest.mark.parametrize("spread_deg", [10.0, 60.0])
def test_fingers_bend_towards_the_palm_and_not_through_the_back_of_the_hand(spread_deg: float) -> None:
    """Middle joints go from straight to 105 degrees; regressed joints show that within 25."""
    for hand, posed in zip(HANDS, bent(spread_deg), strict=True):
        for chain in list(FINGERS.values())[1:]:
            before, after = (
                _middle_bend_deg(joints_m, chain) for joints_m in (hand.joints_m, posed.joints_m)
            )
            assert min(before, 0.0) - 25 <= after <= max(before, 105.0) + 25


def _middle_bend_deg(joints_m: np.ndarray, chain: tuple[int, ...]) -> float:
    first, second = joints_m[chain[1]] - joints_m[chain[0]], joints_m[chain[2]] - joints_m[chain[1]]
    index_m, little_m = (joints_m[FINGERS[name][0]] - joints_m[WRIST] for name in ("index", "little"))
    side = np.cross(joints_m[FINGERS["middle"][0]] - joints_m[WRIST], np.cross(index_m, little_m))
    normal = np.cross(first, second)
    return float(np.degrees(np.arctan2(np.linalg.norm(normal) * np.sign(normal @ side), first @ second)))


def test_a_round_may_bend_and_turn_a_hand_at_once() -> None:
    hand = HANDS[0]
    variation = Variation(view_spread_deg=40, pose_spread_deg=10)
    drawn = vary(hand.verts_m, hand.joints_m, variation, seed=3, rig=RIG)
    posed = vary(hand.verts_m, hand.joints_m, Variation(pose_spread_deg=10), seed=3, rig=RIG)
    turn = np.array(drawn.turn)
    middle_m = posed.joints_m.mean(axis=0)
    np.testing.assert_allclose(drawn.verts_m, (posed.verts_m - middle_m) @ turn.T + middle_m, atol=1e-6)
