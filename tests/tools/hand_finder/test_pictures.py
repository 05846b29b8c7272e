"""Training pictures of the hand finder: hands are where the labels say, and are the hands they say."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from shared.seeds import rng_of

pytest.importorskip("tools", reason="the build tools are not part of an installed package")

from tools.hand_finder.ingredients import INDEX, Ingredients
from tools.hand_finder.paste import paste_cutout
from tools.hand_finder.pictures import make_picture, make_pictures

TILE_PX = 96
THUMB_RGB = (250, 40, 40)
"""Made cut-outs are green rectangles with a red thumb on their right; the arm below is blue."""
HAND_RGB = (40, 230, 40)


@pytest.fixture(scope="module")
def ingredients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A green hand with a red thumb on its right, cut out and photographed, and grey places."""
    folder = tmp_path_factory.mktemp("ingredients")
    tile = np.zeros((TILE_PX, TILE_PX, 4), np.uint8)
    tile[20:60, 30:60] = (*HAND_RGB[::-1], 255)
    tile[20:60, 60:70] = (*THUMB_RGB[::-1], 255)
    tile[60:, 40:55] = (200, 40, 40, 255)
    cv2.imwrite(str(folder / "hand.png"), tile)
    photograph = np.full((TILE_PX, TILE_PX, 3), 128, np.uint8)
    photograph[tile[..., 3] > 0] = tile[tile[..., 3] > 0][:, :3]
    cv2.imwrite(str(folder / "photograph.png"), photograph)
    for number, grey in enumerate((60, 120, 180)):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((64, 64, 3), grey, np.uint8))
    index = {
        "cutouts": [["hand.png", [30, 20, 70, 60], [0.6, 0.6, 0.6]]],
        "photographs": [["photograph.png", [30 / 96, 20 / 96, 70 / 96, 60 / 96], "right"]],
        "places": [f"{number}.png" for number in range(3)],
    }
    (folder / INDEX).write_text(json.dumps(index))
    return folder


def test_boxes_hold_the_hand_and_sides_follow_the_thumb(ingredients: Path) -> None:
    loaded = Ingredients.of(ingredients)
    checked = 0
    for number in range(60):
        rng = rng_of("claim", number)
        size_px, mirrored = float(rng.uniform(20, 60)), bool(rng.random() < 0.5)
        empty = np.full((120, 160, 3), 128, np.uint8)
        cutout = loaded.cutout(rng, near_px=size_px)
        pasted = paste_cutout(empty, cutout, [], rng, size_px=size_px, mirrored=mirrored)
        if pasted is None:
            continue
        rgb, (left, top, right, bottom) = pasted
        red = rgb[..., 0].astype(int) - rgb[..., 1] > 60
        green = rgb[..., 1].astype(int) - rgb[..., 0] > 60
        rows, columns = np.nonzero(red | green)
        if left < 1 or top < 1 or right > 159 or bottom > 119:  # cut by the edge
            continue
        assert columns.min() == pytest.approx(left, abs=2)
        assert columns.max() + 1 == pytest.approx(right, abs=2)
        assert rows.min() == pytest.approx(top, abs=2)
        assert max(right - left, bottom - top) == pytest.approx(size_px, abs=1.5)
        assert (np.nonzero(red)[1].mean() < np.nonzero(green)[1].mean()) == mirrored
        checked += 1
    assert checked > 20


def test_a_hand_leaves_the_hands_before_it_visible(ingredients: Path) -> None:
    loaded, taken = Ingredients.of(ingredients), (40.0, 30.0, 120.0, 90.0)
    empty = np.full((120, 160, 3), 128, np.uint8)
    for number in range(40):
        rng = rng_of("room", number)
        pasted = paste_cutout(empty, loaded.cutout(rng, near_px=50), [taken], rng, size_px=60, mirrored=False)
        if pasted is not None:
            assert (np.abs(pasted[0][30:90, 40:120].astype(int) - 128).max(axis=2) > 70).mean() < 0.35


def test_boxes_lie_in_their_picture_and_every_kind_of_picture_is_made(ingredients: Path) -> None:
    loaded = Ingredients.of(ingredients)
    counts, sides = [], set()
    for number in range(80):
        rgb, hands = make_picture(loaded, rng_of("kinds", number))
        height, width = rgb.shape[:2]
        assert max(height, width) <= 320
        for side, (left, top, right, bottom) in hands:
            assert 0 <= left < right <= width
            assert 0 <= top < bottom <= height
            sides.add(side)
        counts.append(len(hands))
    assert sides == {"left", "right"}
    assert 0.1 < counts.count(0) / len(counts) < 0.45
    assert max(counts) >= 3


def test_pictures_follow_from_seed_and_number_alone(ingredients: Path, tmp_path: Path) -> None:
    make_pictures(ingredients, tmp_path / "a", count=3, seed=5, jobs=1)
    make_pictures(ingredients, tmp_path / "b", count=2, seed=5, jobs=1)
    for name in ("images/00001.jpg", "labels/00001.txt"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert (tmp_path / "a" / "images/00002.jpg").read_bytes() != (
        tmp_path / "a" / "images/00001.jpg"
    ).read_bytes()
