"""The finder that comes with the package, on hands that are made here: found where and as what they are."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from jaxtyping import Float

from bg_filter.detectors import own_hands
from bg_filter.detectors.own_hands import WEIGHTS, FoundHand, OwnHandFinder
from shared.camera import project_px
from shared.errors import BackgroundError
from shared.images import Rgb
from tests.support.rasteriser import rasterise
from tests.support.small_hands import open_hand
from trainer.hands.sampled import IMAGE_PX, labelled_hand

SKIN = np.array([205, 150, 125])
LIGHT = np.array([-0.4, -0.6, -0.7])


@pytest.fixture(scope="module")
def right_hand() -> tuple[Rgb, tuple[float, float, float, float]]:
    """A raised right hand in daylight before a wall, and its box."""
    hand = labelled_hand(open_hand(), 3, seed=0, view_sd_deg=8)
    raster = rasterise(
        hand.verts_m, open_hand().faces, hand.camera, width_px=IMAGE_PX, height_px=IMAGE_PX, rays_per_side=2
    )
    shade: Float[np.ndarray, "rows columns 1"] = (raster.normals @ LIGHT).clip(0, 1)[..., None]
    coverage = raster.coverage[..., None]
    wall = np.linspace(150, 190, IMAGE_PX)[:, None, None] * np.array([0.9, 1.0, 1.02])
    picture = cv2.GaussianBlur(coverage * SKIN * (0.45 + 0.55 * shade) + (1 - coverage) * wall, (0, 0), 0.8)
    px = project_px(hand.verts_m, hand.camera)
    (left, top), (right, bottom) = px.min(axis=0) + 0.5, px.max(axis=0) + 0.5
    box = (float(left), float(top), float(right - left), float(bottom - top))
    return picture.clip(0, 255).astype(np.uint8), box


@pytest.fixture(scope="module")
def finder() -> OwnHandFinder:
    return OwnHandFinder(margin=1.5, device="cpu")


def test_with_onnx_runtime_the_network_stays_on_the_cpu_whatever_the_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is compared with the file on the CPU, where ONNX Runtime computes."""
    compared = []
    monkeypatch.setattr(own_hands, "open_finder_network", lambda network, weights: compared.append(network))
    OwnHandFinder(margin=1.5, device="meta", runtime="onnx")
    assert {each.device.type for each in compared[0].parameters()} == {"cpu"}


def same_place(first: tuple[float, float, float, float], second: tuple[float, float, float, float]) -> float:
    """Return intersection over union."""
    across = min(first[0] + first[2], second[0] + second[2]) - max(first[0], second[0])
    down = min(first[1] + first[3], second[1] + second[3]) - max(first[1], second[1])
    shared = max(0.0, across) * max(0.0, down)
    return shared / (first[2] * first[3] + second[2] * second[3] - shared)


def the_only(hands: list[FoundHand]) -> FoundHand:
    (hand,) = hands
    return hand


def test_a_right_hand_is_found_where_it_is(
    finder: OwnHandFinder, right_hand: tuple[Rgb, tuple[float, float, float, float]]
) -> None:
    rgb, box = right_hand
    found = the_only(finder.detect(rgb))
    assert found.side == "right"
    assert same_place(found.box, box) > 0.7


def test_in_a_mirror_it_is_a_left_one(
    finder: OwnHandFinder, right_hand: tuple[Rgb, tuple[float, float, float, float]]
) -> None:
    rgb, (x, y, columns, rows) = right_hand
    found = the_only(finder.detect(np.ascontiguousarray(rgb[:, ::-1])))
    assert found.side == "left"
    assert same_place(found.box, (IMAGE_PX - x - columns, y, columns, rows)) > 0.7


@pytest.mark.parametrize(("columns", "rows"), [(1500, 600), (600, 1500), (160, 160)])
def test_the_shape_of_the_photograph_does_not_matter(
    finder: OwnHandFinder,
    right_hand: tuple[Rgb, tuple[float, float, float, float]],
    columns: int,
    rows: int,
) -> None:
    rgb, box = right_hand
    side = min(columns, rows)
    scale = side / IMAGE_PX
    wide = np.full((rows, columns, 3), 165, np.uint8)
    x, y = columns - side, rows - side
    wide[y:, x:] = cv2.resize(rgb, (side, side), interpolation=cv2.INTER_LINEAR)
    found = the_only(finder.detect(wide))
    expected = (x + scale * box[0], y + scale * box[1], scale * box[2], scale * box[3])
    assert same_place(found.box, expected) > 0.6


def test_squares_are_as_wide_as_asked_and_of_the_side_that_was_found_or_given(
    right_hand: tuple[Rgb, tuple[float, float, float, float]],
) -> None:
    rgb, _ = right_hand
    (found,) = OwnHandFinder(margin=1.5, device="cpu").detect(rgb)
    (square,) = OwnHandFinder(margin=1.5, device="cpu").find(rgb)
    assert square.size_px == pytest.approx(1.5 * max(found.box[2:]) / 1.22)  # boxes hold the flesh, too
    assert (square.side, square.confidence) == ("right", found.confidence)
    both = OwnHandFinder(margin=1.5, sides="both", device="cpu").find(rgb)
    assert [each.side for each in both] == ["left", "right"]


def test_a_found_side_has_odds_and_a_given_one_has_none(
    right_hand: tuple[Rgb, tuple[float, float, float, float]],
) -> None:
    rgb, _ = right_hand
    (square,) = OwnHandFinder(margin=1.5, device="cpu").find(rgb)
    (mirrored,) = OwnHandFinder(margin=1.5, device="cpu").find(np.ascontiguousarray(rgb[:, ::-1]))
    assert 0 < square.side_log_odds < math.inf
    assert mirrored.side_log_odds == pytest.approx(square.side_log_odds, rel=0.2)
    given = OwnHandFinder(margin=1.5, sides="left", device="cpu").find(rgb)
    assert [each.side_log_odds for each in given] == [math.inf]


def test_where_no_hand_is_none_is_found(finder: OwnHandFinder) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    assert finder.detect(cv2.resize(noise, (500, 400), interpolation=cv2.INTER_LINEAR)) == []
    assert finder.detect(np.full((3, 3000, 3), 120, np.uint8)) == []


def test_the_weights_are_small_numbers_alone(tmp_path: Path) -> None:
    assert WEIGHTS.suffix == ".safetensors"
    assert WEIGHTS.stat().st_size <= 7e6


@pytest.mark.parametrize("content", [None, b"", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      ", b"\x80\x04N."])
def test_damaged_weights_are_one_clear_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "own.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BackgroundError, match="expected the weights of the hand finder") as caught:
        OwnHandFinder(margin=1.5, device="cpu", weights=path)
    assert "\n" not in str(caught.value)
