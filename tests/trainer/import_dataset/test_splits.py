"""Which hands go where."""

import pytest

from shared.errors import DatasetError
from shared.freihand import SplitName
from trainer.import_dataset.reader import SourceHand
from trainer.import_dataset.splits import SplitRule, SplitSizes


def hand(name: str, split: SplitName | None = "training") -> SourceHand:
    """``subject/sequence/photograph``."""
    subject, sequence, _ = name.split("/")
    return SourceHand(
        photograph=name, subject=subject, sequence=f"{subject}/{sequence}", side="right", split=split
    )


HANDS = [
    hand(f"{subject}/{take}/{frame}.jpg")
    for subject in ("ann", "bob")
    for take in (1, 2)
    for frame in range(5)
]


def test_the_datasets_own_split_is_kept_unless_names_are_given() -> None:
    for split in ("training", "evaluation", None):
        assert SplitRule().split_of(hand("ann/1/0.jpg", split)) == split


@pytest.mark.parametrize(("pattern", "count"), [("bob", 10), ("ann/2", 5), ("*/1", 10), ("b*", 10)])
def test_subjects_and_sequences_are_chosen_by_name(pattern: str, count: int) -> None:
    rule = SplitRule(evaluation=(pattern,))
    assert SplitSizes.count(HANDS, rule).hands == {"training": 20 - count, "evaluation": count}


def test_a_name_that_fits_nothing_is_one_clear_error() -> None:
    with pytest.raises(
        DatasetError, match=r"--evaluation eve: .* such as ann, ann/1, ann/2, bob, .*, found none"
    ):
        SplitSizes.count(HANDS, SplitRule(evaluation=("bob", "eve")))


def test_every_so_many_photographs_of_each_folder_are_taken() -> None:
    chosen = [each.photograph for each in SplitRule(every=3).chosen(HANDS)]
    assert chosen == [
        f"{who}/{take}/{frame}.jpg" for who in ("ann", "bob") for take in (1, 2) for frame in (0, 3)
    ]
