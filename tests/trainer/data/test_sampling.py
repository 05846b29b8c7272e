from pathlib import Path
from types import SimpleNamespace

import pytest

from shared.errors import ConfigError
from trainer.data.sampling import ShuffledBatches, hold_out


def split(num_poses: int, num_versions: int) -> object:
    """As much of a FreiHandSplit as dividing needs."""

    class Split(SimpleNamespace):
        def __len__(self) -> int:
            return num_poses * num_versions

        def pose_of(self, index: int) -> int:
            return index % num_poses

    return Split(num_poses=num_poses, num_versions=num_versions)


def test_no_pose_is_on_both_sides() -> None:
    """FreiHAND shows every pose four times; files that differ may show the same hand."""
    division = hold_out(split(50, 4), held_out_share=0.1)  # type: ignore[arg-type]
    held_out = {index % 50 for index in division.held_out}
    assert len(division.held_out) == len(held_out) == 5
    assert held_out.isdisjoint({index % 50 for index in division.training})
    assert len(division.training) == 4 * 45


def test_held_out_photographs_show_all_versions() -> None:
    division = hold_out(split(50, 4), held_out_share=0.16)  # type: ignore[arg-type]
    assert sorted(index // 50 for index in division.held_out) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_fewer_samples_leave_the_held_out_poses_as_they_are() -> None:
    whole = hold_out(split(50, 4), held_out_share=0.1)  # type: ignore[arg-type]
    part = hold_out(split(50, 4), held_out_share=0.1, max_samples=20)  # type: ignore[arg-type]
    assert part.held_out == whole.held_out
    assert len(set(part.training)) == 20
    assert set(part.training) <= set(whole.training)


def test_processes_share_every_joint_batch_of_one_process() -> None:
    """With the test of the step, this makes distributed training equal to one process with larger batches."""
    alone = ShuffledBatches(range(30), batch_size=6, seed=3).batches(epoch=2, twins=None)
    ranks = [
        ShuffledBatches(range(30), batch_size=3, seed=3, rank=rank, world_size=2).batches(epoch=2, twins=None)
        for rank in (0, 1)
    ]
    assert [first + second for first, second in zip(*ranks, strict=True)] == alone


def test_every_epoch_has_its_own_order_and_every_photograph_once() -> None:
    schooling = ShuffledBatches(range(12), batch_size=4, seed=3)
    orders = [
        [draw.index for batch in schooling.batches(epoch=e, twins=None) for draw in batch] for e in (0, 1)
    ]
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(12))


def test_a_draw_tells_its_epoch_and_its_twins() -> None:
    draw = ShuffledBatches(range(4), batch_size=4, seed=0).batches(epoch=7, twins=Path("round-0003"))[0][0]
    assert (draw.epoch, draw.twins) == (7, Path("round-0003"))


def test_a_batch_larger_than_the_data_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"data.batch_size: expected at most 5 for 10 .* 2 processes, found 6"
    ):
        ShuffledBatches(range(10), batch_size=6, seed=0, world_size=2)
