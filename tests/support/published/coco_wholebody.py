"""COCO-WholeBody in miniature: photographs of a gradient, and people with hands at known places."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 240, 160


def gradient(width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Red is the column and green the row, so that a colour says where it comes from."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack((columns, rows, np.zeros_like(rows)), axis=2).astype(np.uint8)


def keypoints_at(left: float, top: float, size: float, *, unknown: int = 0) -> np.ndarray:
    """21 joints in a box; the last ones may be unknown."""
    turns = np.linspace(0, 2 * np.pi, 21, endpoint=False)
    points = np.column_stack((np.cos(turns), np.sin(turns), np.full(21, 2.0)))
    points[:, :2] = (left, top) + (points[:, :2] + 1) * size / 2
    points[::5, 2] = 1  # hidden, but labelled
    if unknown:
        points[-unknown:] = 0
    return points


def write_coco_wholebody(root: Path) -> None:
    """Two photographs to train on, one for validation."""
    people = {
        "train": [
            (1, {"right": keypoints_at(120, 40, 80), "left": keypoints_at(20, 60, 60, unknown=3)}),
            (2, {"right": keypoints_at(50, 50, 12)}),
            (2, {"left": keypoints_at(50, 50, 90, unknown=17)}),
            (3, {"right": keypoints_at(50, 50, 90)}),
        ],
        "val": [(4, {"right": keypoints_at(60, 30, 70)})],
    }
    for part, annotated in people.items():
        folder = root / f"{part}2017"
        folder.mkdir(parents=True)
        images = sorted({image for image, _ in annotated})
        for image in images:
            if image != 3:  # lost
                Image.fromarray(gradient()).save(folder / f"{image:012d}.jpg", quality=100, subsampling=0)
        content = {
            "images": [
                {"id": image, "file_name": f"{image:012d}.jpg", "width": WIDTH, "height": HEIGHT}
                for image in images
            ],
            "annotations": [_person(image, hands) for image, hands in annotated],
        }
        path = root / "annotations" / f"coco_wholebody_{part}_v1.0.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))


def _person(image: int, hands: dict[str, np.ndarray]) -> dict[str, Any]:
    person: dict[str, Any] = {"image_id": image, "category_id": 1, "keypoints": [0] * 51, "iscrowd": 0}
    for side in ("left", "right"):
        points = hands.get(side)
        person[f"{side}hand_valid"] = points is not None
        person[f"{side}hand_kpts"] = [0.0] * 63 if points is None else points.ravel().tolist()
        person[f"{side}hand_box"] = [0.0] * 4
    return person
