"""Photographs of places without people: some are trained on, those of other panoramas are not."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_KEPT: Final = 4
"""Of so many panoramas, one is kept for counting false alarms."""


def places(scenes: Path) -> Iterator[tuple[Path, bool]]:
    """Yield all photographs of ``list.csv``, and whether they may be trained on.

    Kept are all of every fourth panorama, and all with people far away, or what a person detector takes for
    people.
    """
    with (scenes / "list.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["file"].startswith("photos/")]
    panoramas = sorted({_panorama(row["file"]) for row in rows})
    kept = set(panoramas[_KEPT - 1 :: _KEPT])
    for row in rows:
        is_trained_on = _panorama(row["file"]) not in kept and int(row["yolov8n_persons"]) == 0
        yield scenes / row["file"], is_trained_on


def training_places(scenes: Path) -> list[Path]:
    """Return the photographs to train on."""
    return [path for path, is_trained_on in places(scenes) if is_trained_on]


def _panorama(file: str) -> str:
    return Path(file).stem.rpartition("_y")[0]
