"""Gathers the ingredients of the training pictures in one folder of small files."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
from tqdm import tqdm

from tools.hand_finder.cutouts import cutouts_of
from tools.hand_finder.ingredients import INDEX
from tools.hand_finder.photographs import hand_photographs
from tools.hand_finder.pictures import PICTURE_PX
from tools.hand_finder.places import training_places

_QUALITY: Final = 85


def gather(out: Path, *, cutouts: Path, hand_photos: Path, scenes: Path) -> dict[str, int]:
    """Write the ingredients, at most `PICTURE_PX` large, and their index.

    Args:
        out: New folder.
        cutouts: Folder of `cutouts.render_cutouts`.
        hand_photos: Folder of `photographs.hand_photographs`.
        scenes: Folder of ``photos`` and ``list.csv``.

    Returns:
        How many of each kind there are.
    """
    for name in ("cutouts", "photographs", "places"):
        (out / name).mkdir(parents=True, exist_ok=True)
    made = []
    for path, box, tone in tqdm(list(cutouts_of(cutouts)), desc="Cut-outs", unit="hand", disable=None):
        file = f"cutouts/{path.stem}.webp"
        bgra = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert bgra is not None
        ok, encoded = cv2.imencode(".webp", bgra, [cv2.IMWRITE_WEBP_QUALITY, _QUALITY])
        assert ok
        (out / file).write_bytes(encoded.tobytes())
        made.append((file, box, tone))
    taken = []
    for photograph in tqdm(list(hand_photographs(hand_photos)), desc="Photographs", disable=None):
        if photograph.use != "train" or len(photograph.boxes) != 1:
            continue
        file = f"photographs/{photograph.folder.replace('/', '-')}-{photograph.path.stem}.jpg"
        _write_small(photograph.path, out / file)
        taken.append((file, photograph.boxes[0], photograph.side))
    places = []
    for path in training_places(scenes):
        file = f"places/{path.stem}.jpg"
        _write_small(path, out / file)
        places.append(file)
    index: dict[str, Sequence[object]] = {"cutouts": made, "photographs": taken, "places": places}
    (out / INDEX).write_text(json.dumps(index))
    return {name: len(some) for name, some in index.items()}


def _write_small(source: Path, target: Path) -> None:
    bgr = cv2.imread(str(source), cv2.IMREAD_COLOR)
    assert bgr is not None, source
    scale = PICTURE_PX / max(bgr.shape[:2])
    if scale < 1:
        bgr = cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(target), bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
