"""Which round trains with the renders of which round's predictions: arithmetic, which depends on no clock."""

from collections.abc import Callable
from dataclasses import dataclass

from trainer.config.recycling import RecycleConfig


@dataclass(frozen=True, slots=True)
class TwinSchedule:
    """Rounds are counted from 0.

    Attributes:
        recycle: How the run recycles; None if it does not.
        rounds: Of the run.
        good_since: Tells the first round whose held-out error was below the configuration's
            ``start_below_mm``, or None while there is none; asked only where there is such a limit.
    """

    recycle: RecycleConfig | None
    rounds: int
    good_since: Callable[[], int | None] = lambda: 0

    def twins_of(self, round_index: int) -> int | None:
        """Return the round whose predictions, drawn, a round trains with; None if it trains without."""
        if self.recycle is None:
            return None
        if self.recycle.source == "ground_truth":
            return round_index  # the labels, drawn for this round
        drawn = self.drawn_before(round_index)
        return drawn if drawn >= self.recycle.warmup_rounds - 1 and self._is_good(drawn) else None

    def _is_good(self, round_index: int) -> bool:
        """Whether the predictions of a round are worth drawing."""
        if self.recycle is None or self.recycle.start_below_mm is None:
            return True
        since = self.good_since()
        return since is not None and round_index >= since

    def drawn_before(self, round_index: int) -> int:
        """Return the round whose predictions are the last to have been drawn when a round begins."""
        return round_index - 1 - (self.recycle.lag_rounds if self.recycle else 0)

    def is_drawn(self, round_index: int) -> bool:
        """Tell whether a round's predictions are drawn, because a later one trains with them."""
        if self.recycle is None or self.recycle.source == "ground_truth":
            return False
        first = round_index + 1 + self.recycle.lag_rounds
        return first < self.rounds and self.twins_of(first) is not None
