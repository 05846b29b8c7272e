"""Pictures to train a hand finder on, with labels, each decided by its number."""

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from tqdm import tqdm

from shared.images import Rgb
from shared.seeds import rng_of
from shared.types import Side
from tools.hand_finder.behind import behind, hand_free, place
from tools.hand_finder.ingredients import Corners, Ingredients
from tools.hand_finder.paste import paste_cutout
from tools.hand_finder.traces import leave_traces

NAMES: Final = ("left hand", "right hand")
"""Classes of the finder."""
PICTURE_PX: Final = 320
"""Longer side."""

type Labelled = tuple[Rgb, list[tuple[Side, Corners]]]

_SHAPES: Final = ((320, 320), (320, 240), (240, 320), (320, 180), (320, 213))
_KINDS: Final = {"made": 0.40, "photograph": 0.26, "grid": 0.18, "place": 0.08, "hand-free": 0.08}
_SMALLEST, _LARGEST = 0.04, 0.9
"""Longer side of a hand's box, as a share of the picture's."""
_NUM_HANDS: Final = (0.5, 0.3, 0.12, 0.08)
"""How often one to four hands are made."""
_CHUNK: Final = 32


def make_pictures(ingredients: Path, out: Path, *, count: int, seed: int, jobs: int) -> None:
    """Write ``images/NNNNN.jpg`` and ``labels/NNNNN.txt`` in YOLO's layout."""
    for folder in ("images", "labels"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    starts = range(0, count, _CHUNK)
    chunks = [range(start, min(count, start + _CHUNK)) for start in starts]
    with (
        ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool,
        tqdm(total=count, desc="Putting pictures together", unit="picture", disable=None) as bar,
    ):
        for done in pool.map(partial(_write_some, ingredients, out, seed), chunks):
            bar.update(done)


def make_picture(ingredients: Ingredients, rng: np.random.Generator) -> Labelled:
    """Return a picture and its hands."""
    kind = rng.choice(list(_KINDS), p=list(_KINDS.values()))
    if kind == "grid":
        rgb, hands = _grid(ingredients, rng)
    else:
        size = _SHAPES[int(rng.integers(len(_SHAPES)))]
        if kind == "made":
            rgb, hands = _made(ingredients, size, rng)
        elif kind == "photograph":
            rgb, hands = _photographed(ingredients, size, rng)
        else:
            rgb, hands = (place if kind == "place" else hand_free)(ingredients, size, rng), []
    return leave_traces(rgb, rng), hands


def _write_some(ingredients: Path, out: Path, seed: int, numbers: range) -> int:
    cv2.setNumThreads(1)
    loaded = Ingredients.of(ingredients)
    for number in numbers:
        rng = rng_of("hand finder", seed, number)
        rgb, hands = make_picture(loaded, rng)
        quality = int(rng.integers(45, 93))
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        cv2.imwrite(str(out / "images" / f"{number:05d}.jpg"), bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
        height, width = rgb.shape[:2]
        lines = [yolo_line(side, box, width, height) for side, box in hands]
        (out / "labels" / f"{number:05d}.txt").write_text("".join(lines))
    return len(numbers)


def yolo_line(side: Side, box: Corners, width: int, height: int) -> str:
    """Return a line of a label file."""
    left, top, right, bottom = box
    shares = (
        (left + right) / 2 / width,
        (top + bottom) / 2 / height,
        (right - left) / width,
        (bottom - top) / height,
    )
    return " ".join([str(int(side == "right")), *(f"{share:.5f}" for share in shares)]) + "\n"


def _made(ingredients: Ingredients, size: tuple[int, int], rng: np.random.Generator) -> Labelled:
    """One to four cut-out hands before a place, a hand-free part of a photograph, or a plain colour."""
    rgb = behind(ingredients, size, rng)
    if rng.random() < 0.3:
        rgb = np.asarray(cv2.GaussianBlur(rgb, (0, 0), float(rng.uniform(0.5, 8))), np.uint8)
    num_hands = 1 + int(rng.choice(4, p=_NUM_HANDS))
    most = min(1.0, (_LARGEST, 0.5, 0.38, 0.3)[num_hands - 1])
    longest = max(size)
    hands: list[tuple[Side, Corners]] = []
    for share in sorted(_share(rng, _SMALLEST, most) for _ in range(num_hands)):
        size_px = share * longest
        side: Side = "left" if rng.random() < 0.5 else "right"
        pasted = paste_cutout(
            rgb,
            ingredients.cutout(rng, near_px=size_px),
            [box for _, box in hands],
            rng,
            size_px=min(size_px, 0.95 * min(size)),
            mirrored=side == "left",
        )
        if pasted is not None:
            rgb, box = pasted
            hands.append((side, box))
    return rgb, hands


def _photographed(ingredients: Ingredients, size: tuple[int, int], rng: np.random.Generator) -> Labelled:
    """A real photograph, seen from nearer, or smaller on top of another picture."""
    photograph = ingredients.photograph(rng)
    left, top, right, bottom = photograph.box
    height, width = photograph.rgb.shape[:2]
    wanted_px = _share(rng, 0.1, _LARGEST) * min(max(size), 1.25 * min(size))
    scale, stretch = wanted_px / max(right - left, bottom - top), float(np.exp(rng.normal(0, 0.1)))
    turn_deg = float(rng.normal(0, 8)) if rng.random() < 0.4 else 0.0
    turn_deg += 90 * int(rng.choice(4, p=(0.85, 0.06, 0.03, 0.06)))
    turn = cv2.getRotationMatrix2D((0, 0), turn_deg, 1.0)[:, :2]
    linear = np.diag([scale * stretch, scale / stretch]) @ turn
    corners_px = np.array([[left, top], [right, top], [right, bottom], [left, bottom]]) @ linear.T
    middle_px = corners_px.mean(axis=0)
    # The hull of a turned box is larger than the box of the turned hand, which seldom fills its corners.
    shrunk = 1 - 0.3 * abs(float(np.sin(2 * np.radians(turn_deg))))
    low, high = (middle_px + shrunk * (end - middle_px) for end in (corners_px.min(0), corners_px.max(0)))
    outer_px = np.array([[0, 0], [width, 0], [width, height], [0, height]]) @ linear.T
    shift = np.zeros(2)
    for axis in (0, 1):
        first, last = sorted((-low[axis], size[axis] - high[axis]))  # the hand is inside, or fills it
        covering = (size[axis] - outer_px[:, axis].max(), -outer_px[:, axis].min())
        if max(first, covering[0]) <= min(last, covering[1]):
            first, last = max(first, covering[0]), min(last, covering[1])
        shift[axis] = rng.uniform(first, last)
    empty = behind(ingredients, size, rng)
    rgb = cv2.warpAffine(
        photograph.rgb,
        np.column_stack([linear, shift]),
        size,
        np.ascontiguousarray(empty),
        flags=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_TRANSPARENT,
    )
    (x0, y0), (x1, y1) = np.clip(low + shift, 0, size), np.clip(high + shift, 0, size)
    return np.asarray(rgb, np.uint8), [(photograph.side, (float(x0), float(y0), float(x1), float(y1)))]


def _grid(ingredients: Ingredients, rng: np.random.Generator) -> Labelled:
    """Several pictures side by side, so that real hands are small, and none is in the middle."""
    columns, rows = ((2, 2), (2, 1), (3, 2), (3, 3))[int(rng.choice(4, p=(0.45, 0.2, 0.2, 0.15)))]
    cell_px = PICTURE_PX // columns
    grid = np.zeros((rows * cell_px, columns * cell_px, 3), np.uint8)
    hands: list[tuple[Side, Corners]] = []
    for row in range(rows):
        for column in range(columns):
            kind = int(rng.choice(3, p=(0.6, 0.2, 0.2)))
            rgb, found = (_whole, _made_large, _nothing)[kind](ingredients, (cell_px, cell_px), rng)
            x, y = column * cell_px, row * cell_px
            grid[y : y + cell_px, x : x + cell_px] = rgb
            hands += [(side, (box[0] + x, box[1] + y, box[2] + x, box[3] + y)) for side, box in found]
    return grid, hands


def _whole(ingredients: Ingredients, size: tuple[int, int], rng: np.random.Generator) -> Labelled:
    """A photograph as it is, stretched or cut to a square."""
    photograph = ingredients.photograph(rng)
    height, width = photograph.rgb.shape[:2]
    across, down = size[0] / width, size[1] / height
    left, top, right, bottom = photograph.box
    rgb = np.asarray(cv2.resize(photograph.rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
    return rgb, [(photograph.side, (left * across, top * down, right * across, bottom * down))]


def _made_large(ingredients: Ingredients, size: tuple[int, int], rng: np.random.Generator) -> Labelled:
    """One made hand that fills much of its cell."""
    side: Side = "left" if rng.random() < 0.5 else "right"
    size_px = _share(rng, 0.25, _LARGEST) * max(size)
    cutout = ingredients.cutout(rng, near_px=size_px)
    empty = behind(ingredients, size, rng)
    pasted = paste_cutout(empty, cutout, [], rng, size_px=size_px, mirrored=side == "left")
    return (empty, []) if pasted is None else (pasted[0], [(side, pasted[1])])


def _nothing(ingredients: Ingredients, size: tuple[int, int], rng: np.random.Generator) -> Labelled:
    return behind(ingredients, size, rng), []


def _share(rng: np.random.Generator, least: float, most: float) -> float:
    """Return a share, each octave as often as another."""
    return float(np.exp(rng.uniform(np.log(least), np.log(most))))
