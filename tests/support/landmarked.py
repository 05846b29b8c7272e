"""Photographs with landmarks, in the format that the open model is scored on."""

import json
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

SETS: Final = (
    *("gestures/train", "gestures/valid", "letters/train", "letters/train_varied"),
    *("palms/train", "palms/valid"),
)
SIZE_PX: Final = 100


def write_photographs(root: Path) -> dict[str, list[dict[str, Any]]]:
    """Write twelve photographs of every set, each with a hand whose box is 40 by 20 pixels."""
    rng = np.random.default_rng(0)
    found: dict[str, list[dict[str, Any]]] = {}
    for folder in SETS:
        for kind in ("images", "labels"):
            (root / folder / kind).mkdir(parents=True)
        for number in range(12):
            name = f"{folder}/images/{number:04d}.jpg"
            Image.new("RGB", (SIZE_PX, SIZE_PX)).save(root / name)
            labels = "0 0.5 0.4 0.4 0.2\n0 0.1 0.1 0.1 0.1\n"
            (root / folder / "labels" / f"{number:04d}.txt").write_text(labels)
            points_m = 0.05 * rng.standard_normal((21, 3))
            joints_px = points_m[:, :2] / np.abs(points_m[:, :2]).max(axis=0) * (15, 8) + (49.5, 39.5)
            side = "left" if number % 3 == 0 else "right"
            found[name] = [
                {"side": side, "score": 1, "joints_px": joints_px.tolist(), "joints_m": points_m.tolist()}
            ]
    (root / "landmarks.json").write_text(json.dumps(found))
    return found
