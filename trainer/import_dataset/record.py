"""What became of every hand of a split: a line of JSON each, in the order of the dataset.

``training_sources.jsonl`` or ``evaluation_sources.jsonl`` stays beside the labels. A line says ``photograph``
and ``side``, and either ``image``, the number of the image that shows this hand, or ``left_out``, the reason
why none does. A line is written after its image is on the disk, so that an interrupted import can resume.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from shared.errors import DatasetError
from shared.freihand import SplitName
from shared.json_text import parse_json
from trainer.import_dataset.reader import SourceHand


class SourceRecord:
    """Appends to the record of one split.

    Args:
        root: Folder of the dataset.
        split: Which split.

    Raises:
        DatasetError: The record cannot be read.
    """

    def __init__(self, root: Path, split: SplitName) -> None:
        self.path = root / f"{split}_sources.jsonl"
        self.images, self.last = 0, ""
        self.left_out: Counter[str] = Counter()
        self._recover()

    @property
    def num_hands(self) -> int:
        """Hands that something became of."""
        return self.images + self.left_out.total()

    def kept(self, hand: SourceHand, **more: object) -> None:
        """Note that a hand is the next image, and whatever else is to be remembered of it."""
        self._append(hand, image=self.images, **more)
        self.images += 1

    def leave_out(self, hand: SourceHand, reason: str) -> None:
        """Note why a hand is no image."""
        self._append(hand, left_out=reason)
        self.left_out[reason] += 1

    def without_done(self, hands: Iterable[SourceHand]) -> Iterator[SourceHand]:
        """Return the hands, always in the same order, that nothing became of yet.

        Raises:
            DatasetError: The dataset is not the one that the import began with.
        """
        all_hands, done = iter(hands), self.num_hands
        for last in islice(all_hands, max(done - 1, 0), done):
            self._check(last)
        return all_hands

    def _check(self, hand: SourceHand) -> None:
        """Make sure that the last line is about this hand."""
        if self.last != _name(hand):
            raise DatasetError(
                f"{self.path}: expected line {self.num_hands} about {_name(hand)}, found {self.last}.",
                remedy="The dataset has changed since the import began: import it into another folder.",
            )

    def _append(self, hand: SourceHand, **what: object) -> None:
        line = json.dumps({"photograph": hand.photograph, "side": hand.side, **what}) + "\n"
        with self.path.open("a") as file:
            file.write(line)
        self.last = _name(hand)

    def _recover(self) -> None:
        """Count the lines, and cut off one that a kill has left unfinished."""
        if not self.path.exists():
            return
        whole_bytes = 0
        with self.path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                whole_bytes += len(line)
                self._count(line)
        if whole_bytes < self.path.stat().st_size:
            os.truncate(self.path, whole_bytes)

    def _count(self, line: bytes) -> None:
        try:
            found = parse_json(line)
            self.last = f"{found['photograph']} ({found['side']})"
            if "left_out" in found:
                self.left_out[str(found["left_out"])] += 1
                return
            is_next = found["image"] == self.images
        except (ValueError, KeyError, TypeError) as error:
            raise DatasetError(
                f"{self.path}: expected lines about hands, found {line[:80]!r}.",
                remedy="Import into another folder.",
            ) from error
        if not is_next:
            raise DatasetError(
                f"{self.path}: expected image {self.images}, found {found['image']}.",
                remedy="Import into another folder.",
            )
        self.images += 1


def _name(hand: SourceHand) -> str:
    return f"{hand.photograph} ({hand.side})"
