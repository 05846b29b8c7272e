"""Agreement with landmarks: zero for the landmarks themselves, whatever the box, the side, and the place."""

import json
from pathlib import Path

import numpy as np
import pytest

from shared.errors import DatasetError
from shared.images import Rgb
from shared.seams.hand_finder import HandSquare
from shared.skeleton import WRIST
from shared.types import Side
from tests.support.landmarked import write_photographs
from trainer.photographs.finders import BoxTuple
from trainer.photographs.hand import PhotographedHand

pytest.importorskip("tools.open_model", reason="the build tools are not part of an installed package")

from tools.open_model.agreement import ConstantHand
from tools.open_model.photographs import is_kept, landmarked_hands
from tools.open_model.score import ScoreReport, rows_of, score_landmarked


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    write_photographs(tmp_path)
    return tmp_path


def as_hand(points_m: np.ndarray, joints_px: np.ndarray, side: Side) -> PhotographedHand:
    """A hand whose camera shows its x and y as they are; depth turns nothing."""
    flat = np.column_stack((joints_px - joints_px[WRIST], points_m[:, 2]))
    square = HandSquare(centre_px=(50, 40), size_px=60, side=side)
    x, y = joints_px[WRIST].tolist()
    return PhotographedHand(square, flat.astype(np.float32), flat.astype(np.float32), 1.0, (x, y))


def test_landmarks_agree_with_themselves_in_the_picture_and_off_by_a_box_is_100_per_cent(
    photographs: Path,
) -> None:
    hands = list(landmarked_hands(photographs))
    order = iter(hands)

    def beside(rgb: Rgb, box: BoxTuple, side: Side) -> PhotographedHand:
        hand = next(order)
        assert box == pytest.approx((30, 30, 40, 20))
        assert side == hand.side
        off_px = (40, 0) if hand.folder == "letters/train" else (0, 0)
        return as_hand(hand.joints_m, hand.joints_px + off_px, side)

    scored = score_landmarked(beside, photographs)
    off = np.array([hand.folder == "letters/train" for hand in scored.hands])
    np.testing.assert_allclose(scored.agreement.picture_percent[off], 100, atol=1e-3)
    np.testing.assert_allclose(scored.agreement.picture_percent[~off], 0, atol=1e-3)
    rows = {row.name: row for row in rows_of(scored)}
    assert rows["letters/train, others"].picture_percent == pytest.approx(100)
    assert rows["gestures/valid, untouched"].hands == 12
    assert rows["gestures/train, untouched"].hands == 1
    assert "gestures/valid, others" not in rows
    assert "constant" in ScoreReport(tuple(rows.values()), None).to_text()


def test_turned_and_magnified_hands_agree_in_space_and_mirrored_ones_do_not(photographs: Path) -> None:
    hands = list(landmarked_hands(photographs))[:2]
    turn, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    from tools.open_model.agreement import agreement

    joints_px = np.stack([hand.joints_px for hand in hands])
    alike = np.stack([2 * hand.joints_m @ turn + 1 for hand in hands])
    assert agreement(hands, joints_px, alike).space_mm.max() < 1e-4
    assert agreement(hands, joints_px, alike * (-1, 1, 1)).space_mm.min() > 5


def test_the_constant_hand_is_the_best_answer_for_hands_that_are_all_alike(tmp_path: Path) -> None:
    found = write_photographs(tmp_path)
    first = next(iter(found.values()))[0]
    same = np.array(first["joints_px"]), np.array(first["joints_m"])
    for name, (hand,) in found.items():
        mirror = -1 if hand["side"] == "left" else 1
        hand["joints_px"] = ((same[0] - (49.5, 39.5)) * (mirror, 1) + (49.5, 39.5)).tolist()
        hand["joints_m"] = (same[1] * (mirror, 1, 1)).tolist()
        assert name
    (tmp_path / "landmarks.json").write_text(json.dumps(found))
    hands = list(landmarked_hands(tmp_path))
    constant = ConstantHand.mean_of(hands).agreement(hands)
    assert constant.picture_percent.max() < 1e-4
    assert constant.space_mm.max() < 1e-4


def test_every_tenth_photograph_is_kept() -> None:
    assert [number for number in range(40) if is_kept(number)] == [9, 19, 29, 39]


def test_a_folder_without_photographs_or_landmarks_is_one_line(photographs: Path) -> None:
    (photographs / "landmarks.json").unlink()
    with pytest.raises(DatasetError, match="landmarks"):
        list(landmarked_hands(photographs))
