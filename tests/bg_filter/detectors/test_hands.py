"""Ultralytics' own networks as finders of hands. No weights with hands are at hand, so people stand in."""

from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bg_filter.detectors.hands import HandDetector, hand_class
from bg_filter.detectors.weights import quiet_ultralytics
from shared.errors import BackgroundError
from shared.images import Rgb
from shared.seams.hand_finder import Sides


@pytest.fixture(scope="module")
def people_as_hands(assets: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """YOLOv8's real weights with another name for its first class."""
    path = tmp_path_factory.mktemp("weights") / "hands.pt"
    with quiet_ultralytics():
        network = import_module("ultralytics").YOLO(str(assets / "yolo" / "yolov8n.pt"))
        network.model.names[0] = "Human hand"
        network.save(str(path))
    return str(path)


@pytest.fixture(scope="module")
def picture(assets: Path) -> Rgb:
    with Image.open(assets / "scenes" / "people" / "P001_amateur_posture.webp") as file:
        return np.array(file.convert("RGB"))


def test_places_surround_the_boxes_that_ultralytics_finds(
    people_as_hands: str, picture: Rgb, assets: Path
) -> None:
    with quiet_ultralytics():
        (plain,) = (
            import_module("ultralytics")
            .YOLO(str(assets / "yolo" / "yolov8n.pt"))
            .predict(
                np.ascontiguousarray(picture[..., ::-1]), classes=[0], conf=0.25, verbose=False, device="cpu"
            )
        )
    expected = plain.boxes.xyxy.numpy()[np.argsort(-plain.boxes.conf.numpy())]
    found = HandDetector(people_as_hands, sides="right", margin=1.2).find(picture)
    assert len(found) == len(expected) > 0
    for place, (left, top, right, bottom) in zip(found, expected.tolist(), strict=True):
        # Edges there count from the picture's corner, which is half a pixel before the first pixel's centre.
        assert place.centre_px == pytest.approx(((left + right) / 2 - 0.5, (top + bottom) / 2 - 0.5), abs=0.5)
        assert place.size_px == pytest.approx(1.2 * max(right - left, bottom - top), abs=1)
        assert place.side == "right"
        assert place.confidence is not None
        assert place.confidence >= 0.25


def test_both_hands_are_tried_where_nobody_knows(people_as_hands: str, picture: Rgb) -> None:
    one = HandDetector(people_as_hands, sides="left", margin=1.5).find(picture)
    both = HandDetector(people_as_hands, sides="both", margin=1.5).find(picture)
    assert [place.side for place in both] == ["left", "right"] * len(one)


def test_a_picture_without_any_has_no_places(people_as_hands: str) -> None:
    grey = np.full((90, 120, 3), 128, np.uint8)
    assert HandDetector(people_as_hands, sides="right", margin=1.5).find(grey) == []


def test_weights_that_do_not_know_hands_are_refused(assets: Path) -> None:
    """COCO has a class "handbag"."""
    with pytest.raises(
        BackgroundError, match=r"a class named hand, found the classes person, bicycle.*--box"
    ):
        HandDetector(str(assets / "yolo" / "yolov8n.pt"), sides="right", margin=1.5)


def test_what_is_no_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hands.pt").write_text("no weights")
    with pytest.raises(BackgroundError, match="expected weights that ultralytics can load"):
        HandDetector(str(tmp_path / "hands.pt"), sides="right", margin=1.5)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hand", "both"), ("Human hand", "both"), ("hands", "both"), ("hand_0", "both"),
        ("left", "left"), ("Right", "right"), ("left_hand", "left"), ("hand-right", "right"),
        ("handbag", None), ("secondhand", None), ("left arm", None), ("person", None),
    ],
)  # fmt: skip
def test_classes_are_known_by_their_names(name: str, expected: Sides | None) -> None:
    assert hand_class(name, "both") == expected
