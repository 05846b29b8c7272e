"""Which round trains with the renders of which round's predictions: arithmetic, which depends on no clock."""

from dataclasses import dataclass

from trainer.config.sections import RecycleConfig


@dataclass(frozen=True, slots=True)
class TwinSchedule:
    """Rounds are counted from 0.

    Attributes:
        recycle: How the run recycles; None if it does not.
        rounds: Of the run.
    """

    recycle: RecycleConfig | None
    rounds: int

    def twins_of(self, round_index: int) -> int | None:
        """Return the round whose predictions, drawn, a round trains with; None if it trains without."""
        if self.recycle is None:
            return None
        if self.recycle.source == "ground_truth":
            return round_index  # the labels, drawn for this round
        drawn = self.drawn_before(round_index)
        return drawn if drawn >= self.recycle.warmup_rounds - 1 else None

    def drawn_before(self, round_index: int) -> int:
        """Return the round whose predictions are the last to have been drawn when a round begins."""
        return round_index - 1 - (self.recycle.lag_rounds if self.recycle else 0)

    def is_drawn(self, round_index: int) -> bool:
        """Tell whether a round's predictions are drawn, because a later one trains with them."""
        if self.recycle is None or self.recycle.source == "ground_truth":
            return False
        first = round_index + 1 + self.recycle.lag_rounds
        return first < self.rounds and self.twins_of(first) is not None
