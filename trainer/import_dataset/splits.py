"""Which hands are imported, and into which split: the dataset's own, or by subject or recording."""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

from shared.errors import DatasetError
from shared.freihand import SplitName
from trainer.import_dataset.reader import SourceHand

SPLITS: Final[tuple[SplitName, ...]] = ("training", "evaluation")

NEITHER: Final = "neither in the training split nor in the evaluation split of the dataset"
_SHOWN_NAMES: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitRule:
    """Says where a hand goes.

    Attributes:
        evaluation: Patterns of subjects or sequences that are evaluated on; all others are trained on. None
            keeps the dataset's own splits.
        every: Of each folder of photographs, take the first of so many; neighbours in a video look alike.
    """

    evaluation: tuple[str, ...] = ()
    every: int = 1

    def split_of(self, hand: SourceHand) -> SplitName | None:
        """Return the split of a hand; None leaves it out."""
        if not self.evaluation:
            return hand.split
        names = (hand.subject, hand.sequence)
        chosen = any(fnmatchcase(name, pattern) for name in names for pattern in self.evaluation)
        return "evaluation" if chosen else "training"

    def chosen(self, hands: Iterable[SourceHand]) -> Iterator[SourceHand]:
        """Go through every so many photographs of each folder; hands of one photograph stay together."""
        counts: Counter[tuple[str, str]] = Counter()
        for hand in hands:
            folder = (hand.photograph.rpartition("/")[0], hand.side)
            if counts[folder] % self.every == 0:
                yield hand
            counts[folder] += 1


@dataclass(slots=True)
class SplitSizes:
    """How many hands there are, before any is looked at.

    Attributes:
        hands: Of each split; None for those that are in neither.
    """

    hands: Counter[SplitName | None] = field(default_factory=Counter)

    @classmethod
    def count(cls, hands: Iterable[SourceHand], rule: SplitRule) -> "SplitSizes":
        """Count hands, and make sure that every pattern is the name of something.

        Raises:
            DatasetError: A pattern fits nothing, or nothing is left to train on.
        """
        sizes = cls()
        unused, names = set(rule.evaluation), dict[str, None]()
        for hand in rule.chosen(hands):
            sizes.hands[rule.split_of(hand)] += 1
            if rule.evaluation and hand.sequence not in names:
                names |= {hand.subject: None, hand.sequence: None}
                unused -= {pattern for pattern in unused if fnmatchcase(hand.sequence, pattern)}
                unused -= {pattern for pattern in unused if fnmatchcase(hand.subject, pattern)}
        if unused:
            shown = ", ".join(itertools.islice(names, _SHOWN_NAMES))
            raise DatasetError(
                (
                    f"--evaluation {min(unused)}: expected a subject or sequence of the dataset, such as "
                    f"{shown}, found none of that name."
                ),
                remedy="* stands for any letters.",
            )
        return sizes
