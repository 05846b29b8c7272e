"""What an import came to: how many hands, and what was left out and why."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shared.errors import DatasetError
from shared.freihand import SplitName


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """Counts over the whole import, earlier attempts included.

    Attributes:
        title: The dataset.
        out: Where it was written.
        images: Of each split.
        kept: Images that an earlier attempt had written.
        left_out: Hands for each reason.
    """

    title: str
    out: Path
    images: Mapping[SplitName, int]
    kept: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def to_json(self) -> dict[str, object]:
        """Return the counts for programs."""
        return {
            "dataset": self.title,
            "out": str(self.out),
            "images": dict(self.images),
            "kept": self.kept,
            "left_out": dict(self.left_out.most_common()),
        }

    def to_text(self) -> str:
        """Return a table, the most frequent reason first."""
        rows = [(f"{split} images", count) for split, count in self.images.items()]
        if self.kept:
            rows.append(("  of them from before", self.kept))
        rows.append(("left out", self.left_out.total()))
        rows += [(f"  {reason}", count) for reason, count in self.left_out.most_common()]
        width = max(len(name) for name, _ in rows)
        digits = max(len(f"{count:,}") for _, count in rows)
        table = (f"{name:<{width}}  {count:>{digits},}" for name, count in rows)
        return "\n".join((f"{self.title}: {self.out}", *table))


def none_usable(out: Path, left_out: Counter[str], *, said: str, remedy: str, otherwise: str) -> DatasetError:
    """Return the error of an import that came to nothing.

    Args:
        out: Where it was to be written.
        left_out: Hands for each reason; the most frequent two are named.
        said: What was expected, and that there is none.
        remedy: What to do.
        otherwise: The reason where no hand was left out.
    """
    reasons = ", ".join(f"{count:,} times: {why}" for why, count in left_out.most_common(2))
    return DatasetError(f"{out}: {said} ({reasons or otherwise}).", remedy=remedy)
