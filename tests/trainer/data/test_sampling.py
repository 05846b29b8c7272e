from pathlib import Path

import pytest

from shared.errors import ConfigError
from trainer.data.epochs import EpochPart
from trainer.data.sampling import ShuffledBatches


def one(num_photographs: int) -> list[EpochPart]:
    """A single source."""
    return [EpochPart("only", range(num_photographs), num_photographs)]


def test_processes_share_every_joint_batch_of_one_process() -> None:
    """With the test of the step, this makes distributed training equal to one process with larger batches."""
    alone = ShuffledBatches(one(30), batch_size=6, seed=3).batches(epoch=2, twins=None)
    ranks = [
        ShuffledBatches(one(30), batch_size=3, seed=3, rank=rank, world_size=2).batches(epoch=2, twins=None)
        for rank in (0, 1)
    ]
    assert [first + second for first, second in zip(*ranks, strict=True)] == alone


def test_accumulated_batches_are_those_of_as_many_processes() -> None:
    """One process with two batches per step sees what two processes see, and two with two what four do."""
    ranks = [ShuffledBatches(one(30), batch_size=3, seed=3, rank=rank, world_size=4) for rank in range(4)]
    apart = [shuffled.batches(epoch=2, twins=None) for shuffled in ranks]
    for world_size, accumulate in ((1, 4), (2, 2)):
        together = [
            ShuffledBatches(
                one(30), batch_size=3, seed=3, rank=rank, world_size=world_size, accumulate=accumulate
            )
            for rank in range(world_size)
        ]
        assert {shuffled.steps_per_epoch for shuffled in together} == {2}
        found = [shuffled.batches(epoch=2, twins=None) for shuffled in together]
        for step in range(2):
            here = slice(step * accumulate, (step + 1) * accumulate)
            assert [batch for batches in found for batch in batches[here]] == [each[step] for each in apart]


def test_every_epoch_has_its_own_order_and_every_photograph_once() -> None:
    shuffled = ShuffledBatches(one(12), batch_size=4, seed=3)
    orders = [[key.index for batch in shuffled.batches(epoch=e, twins=None) for key in batch] for e in (0, 1)]
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(12))


def test_a_sample_key_tells_its_epoch_and_its_twins() -> None:
    key = ShuffledBatches(one(4), batch_size=4, seed=0).batches(epoch=7, twins=Path("round-0003"))[0][0]
    assert (key.epoch, key.twins) == (7, Path("round-0003"))


def test_a_batch_larger_than_the_data_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"data.batch_size: expected at most 5 for 10 .* 2 processes .*, found 6"
    ):
        ShuffledBatches(one(10), batch_size=6, seed=0, world_size=2)
