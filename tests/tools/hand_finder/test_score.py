"""The score of the hand finder: what counts as found, as the right side, and as kept from the training."""

import json
from pathlib import Path

import pytest

from bg_filter.detectors.own_hands import FoundHand
from shared.types import Side

pytest.importorskip("tools", reason="the build tools are not part of an installed package")

from tools.hand_finder.photographs import HandPhotograph, hand_photographs
from tools.hand_finder.places import places
from tools.hand_finder.score import SeenPhotograph, overlap, sides_and_recall


def found(x: float, *, side: Side, confidence: float) -> FoundHand:
    return FoundHand(box=(x, 0.0, 10.0, 10.0), side=side, confidence=confidence, side_log_odds=1.0)


def seen(*hands: FoundHand, side: Side | None = "right") -> SeenPhotograph:
    photograph = HandPhotograph(
        path=Path("a.jpg"), folder="a/valid", boxes=((0, 0, 1, 1),), side=side, use="valid"
    )
    return SeenPhotograph(photograph=photograph, hands=list(hands), boxes=[(0, 0, 10, 10)], cpu_ms=1.0)


def test_overlap_is_that_of_areas() -> None:
    assert overlap((0, 0, 10, 10), (0, 0, 10, 10)) == 1
    assert overlap((0, 0, 10, 10), (5, 0, 10, 10)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 10, 10), (20, 0, 10, 10)) == 0


def test_a_hand_counts_once_and_only_where_it_is() -> None:
    near, far = found(2, side="right", confidence=0.9), found(30, side="left", confidence=0.9)
    unlikely = found(0, side="left", confidence=0.2)
    assert sides_and_recall([seen(near, far, unlikely)], 0.5) == (1, 1, 1, 1, 1)
    assert sides_and_recall([seen(far)], 0.5) == (1, 0, 0, 0, 1)


def test_sides_are_judged_where_they_are_known() -> None:
    wrong = found(0, side="left", confidence=0.9)
    assert sides_and_recall([seen(wrong), seen(wrong, side=None)], 0.5) == (2, 2, 1, 0, 0)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    landmarks = {}
    for folder in ("gestures/train", "gestures/valid", "letters/train", "letters/train_varied"):
        _write(tmp_path / folder, 20)
    for folder in ("palms/train", "palms/valid"):
        _write(tmp_path / folder, 20)
    landmarks["palms/train/images/00.jpg"] = [{"side": "left", "score": 0.95}]
    landmarks["palms/train/images/01.jpg"] = [{"side": "left", "score": 0.55}]
    (tmp_path / "landmarks.json").write_text(json.dumps(landmarks))
    return tmp_path


def _write(folder: Path, count: int) -> None:
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        (folder / "images" / f"{number:02d}.jpg").touch()
        (folder / "labels" / f"{number:02d}.txt").write_text("0 0.5 0.5 0.2 0.4\n")


def test_every_tenth_photograph_and_the_valid_folders_are_kept(photographs: Path) -> None:
    uses = {(each.folder, each.path.stem): each.use for each in hand_photographs(photographs)}
    assert {stem for (folder, stem), use in uses.items() if use == "tenth"} == {"09", "19"}
    assert {folder for (folder, _), use in uses.items() if use == "valid"} == {
        "gestures/valid",
        "palms/valid",
    }


def test_sides_are_believed_where_they_are_sure(photographs: Path) -> None:
    palms = [each for each in hand_photographs(photographs) if each.folder == "palms/train"]
    assert [each.side for each in palms[:3]] == ["left", None, None]
    assert palms[0].boxes[0] == pytest.approx((0.4, 0.3, 0.6, 0.7))


def test_no_panorama_is_both_trained_on_and_kept(tmp_path: Path) -> None:
    rows = [
        f"photos/{name}_y{y:03d}_p+12.jpg,CC0-1.0,{int(name == 'b' and y == 0)},0"
        for name in "abcd"
        for y in (0, 90)
    ]
    (tmp_path / "list.csv").write_text("\n".join(["file,licence,yolov8n_persons,yolov8n_max_conf", *rows]))
    trained_on = [path.name for path, is_trained_on in places(tmp_path) if is_trained_on]
    assert trained_on == [
        "a_y000_p+12.jpg",
        "a_y090_p+12.jpg",
        "b_y090_p+12.jpg",
        "c_y000_p+12.jpg",
        "c_y090_p+12.jpg",
    ]
