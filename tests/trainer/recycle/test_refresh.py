"""Who is drawn again: the policies, and the distance that one of them goes by."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from shared.errors import ShardError
from shared.seams.renderer import RenderJob
from shared.twins.predictions import PredictionShard, write_predictions
from shared.twins.rounds import SyntheticRound
from tests.support.fakes import PointRenderer
from tests.support.small_hands import open_hand
from trainer.config.recycling import AllRefresh, DriftRefresh, FractionRefresh
from trainer.recycle.refresh import (
    RefreshPlan,
    is_due,
    plan_refresh,
    read_plan,
    refresh_distance_mm,
    write_plan,
)

NAMES = tuple(f"{index:08d}" for index in range(6))
CAMERA = np.array([[8.0, 0.01, -0.02]], np.float32)


def hand_m() -> np.ndarray:
    model = open_hand()
    wrist_m = model.joint_regressor[0] @ model.template_m
    return np.asarray((model.template_m - wrist_m)[None], dtype=np.float32)


def shard_of(*shifts_mm: float) -> PredictionShard:
    """One hand per name, moved away from the template along x."""
    verts_m = np.concatenate([hand_m() + np.float32(0.001 * shift) * np.eye(3)[0] for shift in shifts_mm])
    return PredictionShard(
        sample_ids=NAMES[: len(shifts_mm)],
        verts_m=verts_m.astype(np.float32),
        joints_m=np.zeros((len(shifts_mm), 21, 3), np.float32),
        cameras=np.repeat(CAMERA, len(shifts_mm), axis=0),
        round_index=0,
        image_px=32,
    )


@pytest.fixture
def twins(tmp_path: Path) -> SyntheticRound:
    """Twins of the template; 00000005 is in quarantine."""
    write_predictions(tmp_path / "predictions/shard-00000.safetensors", shard_of(*[0.0] * 6))
    job = RenderJob(
        predictions_dir=tmp_path / "predictions", out_dir=tmp_path / "round-0000", round_index=0, run_seed=0
    )
    PointRenderer(skipped=NAMES[5:]).render_round(job)
    return SyntheticRound.open(job.out_dir)


def test_the_first_round_draws_everything() -> None:
    for config in (
        AllRefresh(),
        FractionRefresh(policy="fraction", share=0.1),
        DriftRefresh(policy="drift", threshold_mm=1000.0),
    ):
        assert plan_refresh(config, [shard_of(1)], None, round_index=0, seed=0) == RefreshPlan()


def test_hands_that_moved_far_are_drawn_again_and_so_are_those_without_a_twin(twins: SyntheticRound) -> None:
    config = DriftRefresh(policy="drift", threshold_mm=2.0)
    plan = plan_refresh(config, [shard_of(0, 1, 1.9, 2.1, 30, 0)], twins, round_index=1, seed=0)
    assert plan.drawn == (NAMES[3], NAMES[4], NAMES[5])
    assert [name for entry in plan.kept for name in entry.sample_ids] == list(NAMES[:3])
    assert [plan.distances_mm[name] for name in NAMES[:5]] == pytest.approx([0, 1, 1.9, 2.1, 30], abs=1e-3)
    assert NAMES[5] not in plan.distances_mm


def test_no_distance_is_below_zero_and_none_reaches_a_metre(twins: SyntheticRound) -> None:
    shard = shard_of(0, 1, 2, 3, 4, 5)
    for threshold_mm, drawn in ((0.0, NAMES), (1000.0, NAMES[5:])):
        config = DriftRefresh(policy="drift", threshold_mm=threshold_mm)
        assert plan_refresh(config, [shard], twins, round_index=1, seed=0).drawn == drawn


def test_a_prediction_gone_wrong_is_drawn_again_and_not_kept(twins: SyntheticRound) -> None:
    """The renderer then refuses it by name, as it does where everything is drawn."""
    shard = shard_of(0, 0)
    shard.verts_m[1, 3] = np.nan
    config = DriftRefresh(policy="drift", threshold_mm=5)
    plan = plan_refresh(config, [shard], twins, round_index=1, seed=0)
    assert plan.drawn == (NAMES[1],)
    assert plan.distances_mm == {NAMES[0]: 0.0}


def test_a_twin_that_is_too_old_is_drawn_again(twins: SyntheticRound) -> None:
    config = DriftRefresh(policy="drift", threshold_mm=5, max_age_rounds=3)
    for round_index, drawn in ((2, ()), (3, NAMES[:2])):
        plan = plan_refresh(config, [shard_of(0, 0)], twins, round_index=round_index, seed=0)
        assert plan.drawn == drawn


def test_a_damaged_twin_is_drawn_again(twins: SyntheticRound) -> None:
    entry = next(twins.entries())
    tar = twins.tar_path(entry)
    content = bytearray(tar.read_bytes())
    content[600] ^= 1
    tar.write_bytes(content)
    config = DriftRefresh(policy="drift", threshold_mm=5)
    assert plan_refresh(config, [shard_of(0, 0)], twins, round_index=1, seed=0).drawn == (NAMES[0],)
    tar.unlink()
    for other in (config, FractionRefresh(policy="fraction", share=0.01)):
        plan = plan_refresh(other, [shard_of(0, 0)], twins, round_index=1, seed=0)
        assert (plan.drawn, plan.kept) == (NAMES[:2], ())


@pytest.mark.parametrize("share", [0.1, 0.3, 1 / 3, 0.5, 0.7, 0.99, 1.0])
def test_every_sample_has_its_turn_in_time_and_every_round_its_share(share: float) -> None:
    names = [f"{index:08d}" for index in range(400)]
    turns = np.array([[is_due(name, share, number, seed=3) for number in range(40)] for name in names])
    longest = math.ceil(1 / share)
    for first in range(40 - longest):
        assert turns[:, first : first + longest].any(axis=1).all()
    assert turns.mean(axis=0) == pytest.approx(share, abs=0.1)
    other = [is_due(name, share, 5, seed=4) for name in names]
    assert share == 1 or other != turns[:, 5].tolist()


def test_a_fraction_keeps_the_others(twins: SyntheticRound) -> None:
    config = FractionRefresh(policy="fraction", share=0.5)
    plan = plan_refresh(config, [shard_of(*[0] * 6)], twins, round_index=1, seed=1)
    due = {name for name in NAMES if is_due(name, 0.5, 1, seed=1)}
    assert plan.drawn == tuple(sorted(due | {NAMES[5]}))
    assert {name for entry in plan.kept for name in entry.sample_ids} == set(NAMES[:5]) - due
    assert 0 < len(due) < 6
    assert plan.distances_mm == {}


class TestDrift:
    def distance(self, verts_m: np.ndarray, camera: np.ndarray = CAMERA) -> float:
        return float(refresh_distance_mm(verts_m, camera, hand_m(), CAMERA)[0])

    def test_a_hand_is_at_no_distance_from_itself(self) -> None:
        assert self.distance(hand_m()) == 0

    def test_a_shift_counts_in_millimetres_in_space_as_in_the_picture(self) -> None:
        moved = hand_m() + np.array([0.003, 0.004, 0], np.float32)
        assert self.distance(moved) == pytest.approx(5, abs=1e-3)
        there = CAMERA + np.array([0, 0.003, 0.004], np.float32)
        assert self.distance(hand_m(), there) == pytest.approx(5, abs=1e-3)

    def test_what_the_camera_does_not_see_counts_because_the_label_has_it(self) -> None:
        assert self.distance(hand_m() + np.array([0, 0, 0.007], np.float32)) == pytest.approx(7, abs=1e-3)

    def test_a_rotation_is_not_forgiven(self) -> None:
        turn = Rotation.from_euler("z", 20, degrees=True).as_matrix().astype(np.float32)
        assert self.distance(hand_m() @ turn) > 20

    def test_a_hand_that_is_rendered_larger_is_far(self) -> None:
        larger = CAMERA * np.array([1.2, 1, 1], np.float32)
        assert self.distance(hand_m(), larger) > 10

    def test_shift_and_camera_that_cancel_leave_the_label_different(self) -> None:
        moved, back = hand_m() + np.array([0.004, 0, 0], np.float32), CAMERA - np.array([0, 0.004, 0], "f4")
        assert self.distance(moved, back) == pytest.approx(4, abs=1e-3)


def test_a_plan_reads_back_as_itself(twins: SyntheticRound, tmp_path: Path) -> None:
    assert read_plan(tmp_path) is None
    kept = twins.entries_of({NAMES[1]})
    plan = RefreshPlan(drawn=NAMES[2:], kept=kept, distances_mm={NAMES[1]: 0.25})
    write_plan(tmp_path, plan)
    assert read_plan(tmp_path) == plan
    (tmp_path / "refresh.json").write_text('{"format": "meshcycle-refresh-2", "drown": []}')
    with pytest.raises(ShardError, match=r"refresh\.json: expected the plan of a round, found 1 wrong"):
        read_plan(tmp_path)
