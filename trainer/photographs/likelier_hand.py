"""Which hand a square shows, where its finder doubts it: shown as either, it is the one that is seen better.

A network that knows right hands is shown a left one in a mirror. Shown a hand as the other one, it is less
sure where the joints are: of photographs that neither has learnt from, that tells as many sides as a finder.
"""

import math
from collections.abc import Sequence
from typing import Final

from trainer.photographs.hand import LookedAt, PhotographedHand, predict_pictures
from trainer.run.trained import TrainedHand

DOUBTED: Final = 3.0
"""Log-odds of the finder below which it is asked: for one hand in three."""
SPREAD_LOG_ODDS: Final = 23.0
"""Weight of the logarithm of the spreads' ratio. With it, both opinions vary alike over the photographs that
they learnt from: by 5.4 and by 0.23 (EXPERIMENTS.md)."""


def predict_likelier_hands(
    trained: TrainedHand, pictures: Sequence[LookedAt], *, tries_turns: bool = True
) -> list[list[PhotographedHand]]:
    """Return the hand of every square, as `predict_pictures` does; the likelier one where that is in doubt.

    Networks that do not say how unsure they are leave the sides as they are.
    """
    hands = predict_pictures(trained, pictures, tries_turns=tries_turns)
    doubted = [[row for row, hand in enumerate(each) if _is_doubted(hand)] for each in hands]
    asked = [
        LookedAt(rgb, [squares[row].as_other_hand() for row in rows])
        for (rgb, squares), rows in zip(pictures, doubted, strict=True)
    ]
    others = predict_pictures(trained, asked, tries_turns=tries_turns)
    for each, rows, again in zip(hands, doubted, others, strict=True):
        for row, other in zip(rows, again, strict=True):
            each[row] = _likelier(each[row], other)
    return hands


def _is_doubted(hand: PhotographedHand) -> bool:
    return hand.square.side_log_odds < DOUBTED and math.isfinite(hand.spread_ndc)


def _likelier(hand: PhotographedHand, other: PhotographedHand) -> PhotographedHand:
    is_other = other.spread_ndc < hand.spread_ndc * math.exp(-hand.square.side_log_odds / SPREAD_LOG_ODDS)
    return other if is_other else hand
