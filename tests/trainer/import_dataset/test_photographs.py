"""Photographs of one's own become squares without labels, found by a finder of a few lines."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shared.errors import DatasetError
from shared.freihand import FreiHandSplit
from shared.images import Rgb
from shared.seams.hand_finder import HandSquare
from tests.support.kill_points import Killed, killing_call
from trainer.import_dataset.photographs import import_photographs
from trainer.import_dataset.record import SourceRecord

HEIGHT, WIDTH = 300, 400


class ByBrightness:
    """Finds as many hands as the first pixel is bright; every other one is a left hand."""

    def __init__(self) -> None:
        self.calls = 0

    def find(self, rgb: Rgb) -> list[HandSquare]:
        self.calls += 1
        return [
            HandSquare(centre_px=(111.5 + 20 * n, 111.5), size_px=224, side="left" if n % 2 else "right")
            for n in range(rgb[0, 0, 0])
        ]


def picture(hands: int) -> Callable[[], Rgb]:
    def decode() -> Rgb:
        if hands < 0:
            raise DatasetError("damaged")
        pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        pixels[:, :, 1] = np.linspace(0, 255, WIDTH)
        pixels[0, 0, 0] = hands
        return pixels

    return decode


HOLIDAY = [("a.jpg", picture(1)), ("b.jpg", picture(0)), ("c.jpg", picture(3)), ("d.jpg", picture(-1))]


def test_squares_are_a_source_of_photographs_without_labels(tmp_path: Path) -> None:
    report = import_photographs(HOLIDAY, tmp_path / "out", ByBrightness())
    assert (report.images, report.left_out) == (
        {"training": 4},
        {"no hand was found": 1, "the photograph cannot be read": 1},
    )
    split = FreiHandSplit(tmp_path / "out", "training", labels="none")
    assert (len(split), split.image_px, split.has_labels) == (4, 224, False)
    lines = [json.loads(line) for line in (tmp_path / "out/training_sources.jsonl").read_text().splitlines()]
    assert lines[3] == {"photograph": "c.jpg, hand 2", "side": "left", "image": 2}


def test_left_hands_are_mirrored(tmp_path: Path) -> None:
    """The first square of c begins at column 0, the second, of a left hand, at column 20."""
    import_photographs(HOLIDAY, tmp_path / "out", ByBrightness())
    split = FreiHandSplit(tmp_path / "out", "training", labels="none")
    right, left = (split.image(index)[100, :, 1].astype(int) for index in (1, 2))
    assert np.abs(right - np.linspace(0, 255, WIDTH)[:224]).max() < 4
    assert np.abs(left - np.linspace(0, 255, WIDTH)[20:244][::-1]).max() < 4


def test_an_interrupted_import_ends_with_the_same_bytes_and_looks_at_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is killed between the picture of the second hand of c and its line in the record."""
    import_photographs(HOLIDAY, tmp_path / "whole", ByBrightness())
    with monkeypatch.context() as patch:
        killing_call(patch, SourceRecord, "kept", call=3)
        with pytest.raises(Killed):
            import_photographs(HOLIDAY, tmp_path / "cut", ByBrightness())
    finder = ByBrightness()
    report = import_photographs(HOLIDAY, tmp_path / "cut", finder)
    assert (finder.calls, report.kept, report.images) == (1, 2, {"training": 4})
    pictures = sorted((tmp_path / "whole").rglob("*.jpg"))
    for path in (*pictures, tmp_path / "whole/training_sources.jsonl"):
        found = tmp_path / "cut" / path.relative_to(tmp_path / "whole")
        assert found.read_bytes() == path.read_bytes()


def test_pictures_that_are_new_are_added(tmp_path: Path) -> None:
    import_photographs(HOLIDAY, tmp_path / "out", ByBrightness())
    before = (tmp_path / "out/training/rgb/00000003.jpg").read_bytes()
    report = import_photographs([("aa.jpg", picture(2)), *HOLIDAY], tmp_path / "out", ByBrightness())
    assert (report.images, report.kept) == ({"training": 6}, 4)
    assert (tmp_path / "out/training/rgb/00000003.jpg").read_bytes() == before


def test_tiny_hands_are_left_out_and_no_hand_at_all_is_an_error(tmp_path: Path) -> None:
    class Far:
        def find(self, rgb: Rgb) -> list[HandSquare]:
            return [HandSquare(centre_px=(50, 50), size_px=40, side="right")]

    with pytest.raises(
        DatasetError, match=r"expected pictures of hands, found none .*smaller than 32 pixels"
    ):
        import_photographs(HOLIDAY[:1], tmp_path / "out", Far())


def test_a_square_larger_than_the_photograph_is_black_beyond_it(tmp_path: Path) -> None:
    class Near:
        def find(self, rgb: Rgb) -> list[HandSquare]:
            return [HandSquare(centre_px=(200, 0), size_px=448, side="right")]

    import_photographs([("a.jpg", picture(1))], tmp_path / "out", Near())
    pixels = np.asarray(Image.open(tmp_path / "out/training/rgb/00000000.jpg"))
    assert pixels[:100].max() < 10
    assert pixels[130:, :, 1].max() > 200
