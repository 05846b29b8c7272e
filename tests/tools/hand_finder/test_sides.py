"""How often the side of a hand is right: which photographs count, and who is asked."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bg_filter.detectors.own_hands import FoundHand
from shared.images import Rgb
from shared.seams.hand_finder import HandSquare
from shared.types import Side

pytest.importorskip("tools", reason="the build tools are not part of an installed package")

from tools.hand_finder import sides
from tools.hand_finder.photographs import HandPhotograph, Use
from tools.hand_finder.sides import score_sides


def photograph(side: Side | None, use: Use = "valid", name: str = "found.jpg") -> HandPhotograph:
    return HandPhotograph(
        path=Path(name), folder=f"palms/{use}", boxes=((0.0, 0.0, 0.5, 0.5),), side=side, use=use
    )


class LeftHandFinder:
    """Says that every hand is a left one, and doubts it; it does not see the hand of ``missed.jpg``."""

    def __init__(self, **_: object) -> None: ...

    def detect(self, rgb: Rgb) -> list[FoundHand]:
        x = 0.0 if rgb.max() == 0 else 15.0
        return [FoundHand(box=(x, 0.0, 10.0, 10.0), side="left", confidence=0.9, side_log_odds=1.0)]

    def squares_of(self, hand: FoundHand) -> list[HandSquare]:
        return [HandSquare(centre_px=(5.0, 5.0), size_px=12.0, side=hand.side, side_log_odds=1.0)]


@pytest.fixture
def everybody_says(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(path: Path) -> Rgb:
        return np.full((20, 20, 3), 255 * (path.name == "missed.jpg"), dtype=np.uint8)

    def right_hands(_: object, pictures: list[object]) -> Iterator[list[SimpleNamespace]]:
        return iter([[SimpleNamespace(side="right")] for _ in pictures])

    monkeypatch.setattr(sides, "OwnHandFinder", LeftHandFinder)
    monkeypatch.setattr(sides, "read_rgb", read)
    monkeypatch.setattr(sides, "predict_likelier_hands", right_hands)


def scored(
    monkeypatch: pytest.MonkeyPatch, *photographs: HandPhotograph, on_training_data: bool = False
) -> dict[str, list[str]]:
    monkeypatch.setattr(sides, "hand_photographs", lambda _: iter(photographs))
    table = score_sides(Path(), SimpleNamespace(margin=1.3), on_training_data=on_training_data)  # type: ignore[arg-type]
    rows = [line.rsplit(maxsplit=4) for line in table.splitlines()]
    return {name: figures for name, *figures in rows}


@pytest.mark.usefixtures("everybody_says")
class TestScoreSides:
    def test_finder_and_network_are_judged_apart(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rows = scored(monkeypatch, photograph("left"), photograph("right"), photograph("right"))
        assert rows["valid: palms/valid"] == ["3", "0.333", "0.667", "1.000"]
        assert rows["all"] == rows["valid: palms/valid"]

    def test_a_hand_that_is_not_found_or_whose_side_is_unknown_does_not_count(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        missed = photograph("left", name="missed.jpg")
        assert scored(monkeypatch, photograph("left"), photograph(None), missed)["all"][0] == "1"

    def test_what_was_trained_on_is_scored_apart(self, monkeypatch: pytest.MonkeyPatch) -> None:
        both = photograph("left"), photograph("right", use="train")
        assert "train: palms/train" not in scored(monkeypatch, *both)
        rows = scored(monkeypatch, *both, on_training_data=True)
        assert rows["all"] == rows["train: palms/train"] == ["1", "0.000", "1.000", "1.000"]
