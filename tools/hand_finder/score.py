"""How good a hand finder is: recall, sides, and false alarms, on what it was not trained on."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from tqdm import tqdm

from bg_filter.detectors.own_hands import CONFIDENCE, WEIGHTS, FoundHand, OwnHandFinder
from shared.images import Rgb
from shared.text_table import text_table
from tools.hand_finder.ingredients import Corners
from tools.hand_finder.photographs import HandPhotograph, hand_photographs
from tools.hand_finder.places import places

THRESHOLDS: Final = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6)
LEAST_OVERLAP: Final = 0.5
"""Intersection over union from which on a hand is found."""

type Finder = Callable[[Rgb], list[FoundHand]]
"""Returns all hands, unlikely ones too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenPhotograph:
    """What was found in a photograph.

    Attributes:
        photograph: Its labels.
        hands: All hands that were found, unlikely ones too.
        boxes: Labelled ones, in pixels.
        cpu_ms: Time of one core.
    """

    photograph: HandPhotograph
    hands: list[FoundHand]
    boxes: list[Corners]
    cpu_ms: float


def look_at_photographs(find: Finder, photographs: Iterable[HandPhotograph]) -> Iterator[SeenPhotograph]:
    """Yield what is found in every photograph."""
    for photograph in photographs:
        rgb = read_rgb(photograph.path)
        started_s = time.process_time()
        hands = find(rgb)
        cpu_ms = 1000 * (time.process_time() - started_s)
        boxes = photograph.boxes_px(rgb)
        yield SeenPhotograph(photograph=photograph, hands=hands, boxes=boxes, cpu_ms=cpu_ms)


def sides_and_recall(seen: Iterable[SeenPhotograph], threshold: float) -> tuple[int, int, int, int, int]:
    """Return labelled hands, found ones, found ones of known side, those with that side, and other boxes."""
    labelled = found = sided = right_side = others = 0
    for each in seen:
        hands = [hand for hand in each.hands if hand.confidence >= threshold]
        matched: set[int] = set()
        for box in each.boxes:
            labelled += 1
            overlaps = [overlap(box, hand.box) for hand in hands]
            if overlaps and max(overlaps) >= LEAST_OVERLAP:
                best = int(np.argmax(overlaps))
                matched.add(best)
                found += 1
                if each.photograph.side is not None:
                    sided += 1
                    right_side += hands[best].side == each.photograph.side
        others += len(hands) - len(matched)
    return labelled, found, sided, right_side, others


def overlap(corners: Corners, box: tuple[float, float, float, float]) -> float:
    """Return the intersection over union of corners and a box."""
    left, top, right, bottom = corners
    x, y, columns, rows = box
    across = min(right, x + columns) - max(left, x)
    down = min(bottom, y + rows) - max(top, y)
    shared = max(0.0, across) * max(0.0, down)
    return shared / ((right - left) * (bottom - top) + columns * rows - shared)


def read_rgb(path: Path) -> Rgb:
    """Read a picture."""
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert bgr is not None, path
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def score(assets: Path, *, weights: Path = WEIGHTS, on_training_data: bool = False) -> str:
    """Look at all that was kept, or at all that was trained on, and return the tables as text."""
    torch.set_num_threads(1)
    finder = OwnHandFinder(margin=1.0, confidence=min(THRESHOLDS), device="cpu", weights=weights)
    photographs = [
        each for each in hand_photographs(assets / "hand_photos") if (each.use == "train") == on_training_data
    ]
    bar = tqdm(photographs, desc="Photographs", disable=None)
    seen = list(look_at_photographs(finder.detect, bar))
    alarms: dict[str, list[float]] = {"trained on": [], "kept": []}
    for path, is_trained_on in tqdm(list(places(assets / "scenes")), desc="Places", disable=None):
        hands = finder.detect(read_rgb(path))
        alarms["trained on" if is_trained_on else "kept"].append(
            max((hand.confidence for hand in hands), default=0.0)
        )
    thresholds = THRESHOLDS if on_training_data else (CONFIDENCE,)
    return "\n\n".join(
        f"confidence {threshold}\n{_tables(seen, alarms, threshold)}" for threshold in thresholds
    )


def _tables(seen: list[SeenPhotograph], alarms: dict[str, list[float]], threshold: float) -> str:
    names = sorted({(each.photograph.use, each.photograph.folder) for each in seen})
    groups = {
        f"{use}: {folder}": [e for e in seen if (e.photograph.use, e.photograph.folder) == (use, folder)]
        for use, folder in names
    }
    rows = [["set", "photographs", "recall", "sides", "other boxes", "ms"]]
    for name, some in (groups | {"all": seen}).items():
        labelled, found, sided, right_side, others = sides_and_recall(some, threshold)
        rows.append(
            [
                name,
                str(len(some)),
                f"{found / labelled:.3f}",
                f"{right_side / max(sided, 1):.3f} of {sided}",
                str(others),
                f"{np.median([each.cpu_ms for each in some]):.1f}",
            ]
        )
    table = "\n".join(text_table(rows, left={0}))
    counts = ", ".join(
        f"{sum(score >= threshold for score in scores)} of {len(scores)} places {kind}"
        for kind, scores in alarms.items()
    )
    return f"{table}\nfalse alarms in {counts}"
