"""How often the side of a hand is right: by the finder alone, and with the mesh network where it doubts."""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from bg_filter.detectors.own_hands import OwnHandFinder
from shared.text_table import text_table
from tools.hand_finder.photographs import hand_photographs
from tools.hand_finder.score import LEAST_OVERLAP, overlap, read_rgb
from trainer.photographs.hand import LookedAt
from trainer.photographs.likelier_hand import DOUBTED, SPREAD_LOG_ODDS, predict_likelier_hands
from trainer.run.trained import TrainedHand


def score_sides(assets: Path, trained: TrainedHand, *, on_training_data: bool = False) -> str:
    """Return a table of kept photographs whose side is known, or of those that the finder was trained on.

    They have one labelled hand, which counts if it is found.
    """
    finder = OwnHandFinder(margin=trained.margin, device="cpu")
    photographs = [
        each
        for each in hand_photographs(assets / "hand_photos")
        if each.side is not None and (each.use == "train") == on_training_data
    ]
    right: dict[str, list[tuple[bool, bool, bool]]] = {}
    for each in tqdm(photographs, desc="Photographs", disable=None):
        rgb = read_rgb(each.path)
        hands = finder.detect(rgb)
        (box,) = each.boxes_px(rgb)
        overlaps = [overlap(box, hand.box) for hand in hands]
        if not overlaps or max(overlaps) < LEAST_OVERLAP:
            continue
        (square,) = finder.squares_of(hands[int(np.argmax(overlaps))])
        ((hand,),) = predict_likelier_hands(trained, [LookedAt(rgb, [square])])
        is_doubted = square.side_log_odds < DOUBTED
        judged = (square.side == each.side, hand.side == each.side, is_doubted)
        right.setdefault(f"{each.use}: {each.folder}", []).append(judged)
    everything = [judged for some in right.values() for judged in some]
    rows: list[tuple[str, ...]] = [("set", "hands", "finder", "with the network", "in doubt")]
    for name, some in (dict(sorted(right.items())) | {"all": everything}).items():
        shares = np.mean(some, axis=0)
        rows.append((name, str(len(some)), *(f"{share:.3f}" for share in shares)))
    table = "\n".join(text_table(rows, left={0}))
    return (
        f"{table}\nlog-odds below {DOUBTED} are in doubt; a ratio of spreads counts {SPREAD_LOG_ODDS} times"
    )
