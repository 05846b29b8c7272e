"""From verdicts to a selection: which pictures are good backgrounds, and why the others are not."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from jaxtyping import Bool, UInt8

from shared.backgrounds.verdicts import CODECS, VerdictRows

SAME_COLOUR = 2 / 255  # how far the mean colours of two copies of a picture may differ


class Outcome(IntEnum):
    """What becomes of a picture; the first reason that applies."""

    KEPT = 0
    BAD = 1
    PERSON = 2
    UNIFORM = 3
    DUPLICATE = 4


IN_WORDS = {
    Outcome.KEPT: "kept",
    Outcome.BAD: "undecodable",
    Outcome.PERSON: "with people",
    Outcome.UNIFORM: "without contrast",
    Outcome.DUPLICATE: "duplicates",
}


@dataclass(frozen=True, slots=True)
class SelectionRules:
    """What a background must fulfil.

    Attributes:
        threshold: Confidence from which a person counts. The paper does not say. Low, because a missed person
            puts an unlabelled hand into the training data, and a lost photograph costs next to nothing: of
            292 photographs of hands without a body, yolov8n finds 95 % at 0.05, and 66 % at its usual 0.25.
        min_contrast: Standard deviation of brightness below which a picture is nothing but a plain surface.
            0 keeps them. The paper does not say.
        drop_duplicates: Keep only the first of pictures that differ in size or encoding alone.
    """

    threshold: float = 0.05
    min_contrast: float = 0.0
    drop_duplicates: bool = False


def judge(rows: VerdictRows, rules: SelectionRules) -> UInt8[np.ndarray, " verdicts"]:
    """Return an `Outcome` for every row; depends on the rows and the rules alone."""
    outcomes = np.zeros(len(rows), np.uint8)
    if rules.drop_duplicates:
        usable = (rows["codec"] != CODECS.index("bad")) & (rows["confidence"] < rules.threshold)
        outcomes[_later_copies(rows, usable)] = Outcome.DUPLICATE
    outcomes[rows["contrast"] < rules.min_contrast] = Outcome.UNIFORM
    outcomes[rows["confidence"] >= rules.threshold] = Outcome.PERSON
    outcomes[rows["codec"] == CODECS.index("bad")] = Outcome.BAD
    return outcomes


def count(outcomes: UInt8[np.ndarray, " verdicts"]) -> dict[Outcome, int]:
    """Return how many pictures have each outcome."""
    return {outcome: int((outcomes == outcome).sum()) for outcome in Outcome}


def summary(outcomes: Mapping[Outcome, int]) -> str:
    """Return what became of some pictures, in a line."""
    kept, total = outcomes[Outcome.KEPT], sum(outcomes.values())
    dropped = ", ".join(f"{outcomes[why]:,} {IN_WORDS[why]}" for why in Outcome if why != Outcome.KEPT)
    return f"Kept {kept:,} of {total:,} ({kept / max(1, total):.0%}); dropped {dropped}."


def _later_copies(rows: VerdictRows, usable: Bool[np.ndarray, " verdicts"]) -> Bool[np.ndarray, " verdicts"]:
    """Mark pictures with the hash and nearly the mean colour of an earlier one that stays."""
    is_copy = np.zeros(len(rows), bool)
    positions = np.flatnonzero(usable)
    _, group_of, group_sizes = np.unique(
        rows["difference_hash"][positions], return_inverse=True, return_counts=True
    )
    shared = positions[group_sizes[group_of] > 1]
    originals: dict[int, list[np.ndarray]] = {}
    for position, hash_, colour in zip(
        shared, rows["difference_hash"][shared].tolist(), rows["mean_rgb"][shared], strict=True
    ):
        known = originals.setdefault(hash_, [])
        if known and np.abs(np.array(known) - colour).max(axis=1).min() <= SAME_COLOUR:
            is_copy[position] = True
        else:
            known.append(colour)
    return is_copy
