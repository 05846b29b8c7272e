"""The selection follows from the verdicts alone."""

import numpy as np

from bg_filter.selection import Outcome, SelectionRules, count, judge
from shared.backgrounds.verdicts import VERDICT_ROW, Verdict


def rows(*verdicts: Verdict) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    return np.frombuffer(b"".join(verdict.packed(["d"]) for verdict in verdicts), VERDICT_ROW)


def verdict(
    confidence: float = 0.0, *, contrast: float = 0.2, difference_hash: int = 0, red: float = 0.5
) -> Verdict:
    return Verdict(
        key="k",
        codec="jpeg",
        detector="d",
        confidence=confidence,
        contrast=contrast,
        difference_hash=difference_hash,
        mean_rgb=(red, 0.5, 0.5),
    )


def test_a_person_counts_from_the_threshold_on() -> None:
    table = rows(verdict(0.09), verdict(0.125), verdict(0.9))
    assert judge(table, SelectionRules(threshold=0.125)).tolist() == [
        Outcome.KEPT,
        Outcome.PERSON,
        Outcome.PERSON,
    ]


def test_a_picture_that_could_not_be_decoded_is_never_kept() -> None:
    table = rows(Verdict(key="k", codec="bad", detector="d"))
    assert judge(table, SelectionRules(threshold=1.1)).tolist() == [Outcome.BAD]


def test_plain_surfaces_are_dropped_on_request_only() -> None:
    table = rows(verdict(contrast=0.01), verdict(contrast=0.1))
    assert judge(table, SelectionRules()).tolist() == [Outcome.KEPT, Outcome.KEPT]
    assert judge(table, SelectionRules(min_contrast=0.05)).tolist() == [Outcome.UNIFORM, Outcome.KEPT]


def test_only_the_first_of_equal_pictures_is_kept_on_request() -> None:
    """The same hash with another colour is another picture: every plain wall has the same hash."""
    table = rows(
        verdict(difference_hash=5),
        verdict(difference_hash=9),
        verdict(difference_hash=5, red=0.502),
        verdict(difference_hash=5, red=0.9),
        verdict(difference_hash=9),
    )
    assert (judge(table, SelectionRules()) == Outcome.KEPT).all()
    outcomes = judge(table, SelectionRules(drop_duplicates=True))
    assert outcomes.tolist() == [
        Outcome.KEPT,
        Outcome.KEPT,
        Outcome.DUPLICATE,
        Outcome.KEPT,
        Outcome.DUPLICATE,
    ]


def test_a_copy_of_a_dropped_picture_is_judged_by_itself() -> None:
    table = rows(verdict(0.9, difference_hash=5), verdict(0.0, difference_hash=5))
    outcomes = judge(table, SelectionRules(drop_duplicates=True))
    assert outcomes.tolist() == [Outcome.PERSON, Outcome.KEPT]


def test_counting_names_every_outcome() -> None:
    assert count(judge(rows(verdict(), verdict(0.9)), SelectionRules())) == {
        Outcome.KEPT: 1,
        Outcome.BAD: 0,
        Outcome.PERSON: 1,
        Outcome.UNIFORM: 0,
        Outcome.DUPLICATE: 0,
    }


def test_nothing_to_judge_is_no_problem() -> None:
    assert judge(rows(), SelectionRules(drop_duplicates=True)).tolist() == []
