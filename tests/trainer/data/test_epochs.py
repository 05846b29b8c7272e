from collections import Counter

import pytest

from shared.errors import ConfigError
from trainer.data.epochs import EpochPart, apportioned, divide_epoch
from trainer.data.sampling import ShuffledBatches


def shown(part: EpochPart, epochs: range, *, seed: int = 3) -> Counter[int]:
    return Counter(index for epoch in epochs for index, _ in part.samples(epoch, seed=seed))


def test_a_small_part_of_a_large_source_goes_on_where_the_last_epoch_stopped() -> None:
    part = EpochPart("made", range(100, 110), num_samples=4)
    assert shown(part, range(5)) == Counter(dict.fromkeys(range(100, 110), 2))
    assert len(shown(part, range(2))) == 8


def test_a_large_part_of_a_small_source_shows_every_photograph_equally_often() -> None:
    counts = shown(EpochPart("real", range(5), num_samples=12), range(1))
    assert set(counts) == set(range(5))
    assert set(counts.values()) == {2, 3}


def test_a_photograph_is_never_augmented_alike_twice() -> None:
    """Name and number of showings seed the augmentation."""
    part = EpochPart("real", range(5), num_samples=12)
    keys = [key for epoch in range(4) for key in part.samples(epoch, seed=3)]
    assert len(keys) == len(set(keys)) == 48


def test_an_epoch_of_one_source_is_every_photograph_once_and_its_showings_are_epochs() -> None:
    assert list(EpochPart("only", range(3), 3).samples(7, seed=0)) == [(0, 7), (1, 7), (2, 7)]


def test_seeds_and_sources_choose_differently() -> None:
    part = EpochPart("made", range(100), num_samples=10)
    others = [shown(part, range(1), seed=4), shown(EpochPart("real", range(100), 10), range(1))]
    assert shown(part, range(1)) not in others


def test_shares_are_those_of_every_epoch_and_batches_mix_the_sources() -> None:
    parts = [EpochPart("made", range(50), 13, twins=True), EpochPart("real", range(5), 7, twins=False)]
    shuffled = ShuffledBatches(parts, batch_size=10, seed=1)
    for epoch in range(3):
        batches = shuffled.batches(epoch=epoch, twins=None)
        assert Counter(key.source for batch in batches for key in batch) == {0: 13, 1: 7}
        assert all({key.source for key in batch} == {0, 1} for batch in batches)


@pytest.mark.parametrize(
    ("total", "shares", "parts"),
    [(12, (0.65, 0.35), (8, 4)), (10, (1 / 3, 1 / 3, 1 / 3), (4, 3, 3)), (7, (1.0,), (7,))],
)
def test_samples_are_divided_by_largest_remainders(
    total: int, shares: tuple[float, ...], parts: tuple[int, ...]
) -> None:
    assert apportioned(total, shares) == parts


def test_a_source_that_would_never_be_seen_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected a sample of real in every epoch, found none among 10"):
        divide_epoch(10, (0.99, 0.01), ("made", "real"))
