"""Weak labels: every joint where the photograph shows it; no hand that is untouched or of a doubtful side."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.freihand import FreiHandSplit
from tests.support.landmarked import SETS, SIZE_PX, write_photographs
from trainer.import_dataset.keypoints import import_keypoints

pytest.importorskip("tools.open_model", reason="the build tools are not part of an installed package")

from tools.open_model.weak_labels import LandmarkedPhotographs

DOUBTED = "letters/train/images/0001.jpg"
LEFT, RIGHT = "gestures/train/images/0000.jpg", "gestures/train/images/0001.jpg"


def magnify(hand: dict[str, object]) -> None:
    """Make it larger than the smallest that is taken."""
    hand["joints_px"] = ((np.array(hand["joints_px"]) - (49.5, 39.5)) * 1.8 + (49.5, 39.5)).tolist()


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Of each hand, the middle finger's tip lies on a white block in a black picture."""
    root = tmp_path / "photographs"
    found = write_photographs(root)
    for name, (hand,) in found.items():
        magnify(hand)
        pixels = np.zeros((SIZE_PX, SIZE_PX, 3), np.uint8)
        column, row = np.rint(hand["joints_px"][12]).astype(int)
        hand["joints_px"][12] = [int(column), int(row)]
        pixels[row - 3 : row + 4, column - 3 : column + 4] = 255
        Image.fromarray(pixels).save(root / name, quality=95)
    found[DOUBTED][0]["score"] = 0.6
    (root / "landmarks.json").write_text(json.dumps(found))
    return root


def test_joints_are_where_they_were_and_left_hands_are_mirrored(photographs: Path, tmp_path: Path) -> None:
    out = tmp_path / "strangers"
    import_keypoints(LandmarkedPhotographs(photographs), out, margin=1.8)
    split = FreiHandSplit(out, "training", labels="keypoints")
    assert len(split) == 11 * sum(not folder.endswith("valid") for folder in SETS) - 1
    for index in range(2):
        places_px, known = split.places_px(index)
        assert known.all()
        rows, columns = np.nonzero(split.image(index).min(axis=2) > 127)
        np.testing.assert_allclose(places_px[12], (columns.mean(), rows.mean()), atol=1.0)
    places = json.loads((photographs / "landmarks.json").read_text())
    for index, (name, sign) in enumerate(((LEFT, -1), (RIGHT, 1))):
        there = np.array(places[name][0]["joints_px"])
        here, _ = split.places_px(index)
        scale = (here[12, 0] - here[0, 0]) / (there[12, 0] - there[0, 0])
        assert np.sign(scale) == sign, name


def test_nothing_untouched_or_doubted_is_taken(photographs: Path, tmp_path: Path) -> None:
    out = tmp_path / "strangers"
    report = import_keypoints(LandmarkedPhotographs(photographs), out, margin=1.8)
    assert report.left_out == {"MediaPipe doubts which hand it is": 1}
    taken = [json.loads(line) for line in (out / "training_sources.jsonl").read_text().splitlines()]
    names = [line["photograph"] for line in taken]
    assert not [name for name in names if "/valid/" in name or name.split(",")[0].endswith("0009.jpg")]
