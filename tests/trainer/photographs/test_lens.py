"""Distances follow from the focal length, wherever that is from."""

import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from shared.images import film_focal_mm
from tests.trainer.photographs.test_output import hand_at
from trainer.photographs.lens import ASSUMED_FILM_MM, FILM_DIAGONAL_MM, lens_of


def test_what_is_given_counts_more_than_exif_and_exif_more_than_an_assumption() -> None:
    size_px = (1200, 900)
    diagonal_px = math.hypot(*size_px)
    given = lens_of(size_px, given_px=777.0, film_mm=50.0)
    exif = lens_of(size_px, given_px=None, film_mm=50.0)
    assumed = lens_of(size_px, given_px=None, film_mm=None)
    assert (given.focal_px, given.source) == (777.0, "given")
    assert exif.focal_px == pytest.approx(50 / FILM_DIAGONAL_MM * diagonal_px)
    assert assumed.focal_px == pytest.approx(ASSUMED_FILM_MM / FILM_DIAGONAL_MM * diagonal_px)
    assert (exif.source, assumed.source) == ("exif", "assumed")
    assert given.centre_px == (599.5, 449.5)


def test_a_hand_seen_by_a_pinhole_is_found_where_it_is() -> None:
    """Of a hand at a known place, the weak-perspective camera that fits best is taken as the prediction."""
    lens = lens_of((640, 480), given_px=600.0, film_mm=None)
    hand = hand_at(0, 0)
    place_m = np.array([0.06, -0.04, 0.55])
    points_m = hand.joints_m + place_m
    px = lens.focal_px * points_m[:, :2] / points_m[:, 2:] + lens.centre_px
    flat = hand.joints_m[:, :2] - hand.joints_m[:, :2].mean(axis=0)
    scale = float((flat * (px - px.mean(axis=0))).sum() / (flat**2).sum())
    wrist = px.mean(axis=0) - scale * hand.joints_m[:, :2].mean(axis=0)
    seen = replace(hand, scale_px_per_m=scale, wrist_px=(float(wrist[0]), float(wrist[1])))
    np.testing.assert_allclose(lens.wrist_m(seen), place_m, atol=0.004)


def test_exif_tells_the_focal_length_and_nonsense_is_ignored() -> None:
    picture = Image.new("RGB", (8, 8))
    assert film_focal_mm(picture) is None
    for written, expected in ((26, 26.0), (0, None)):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0xA405] = written
        picture.info["exif"] = exif.tobytes()
        picture._exif = None
        assert film_focal_mm(picture) == expected
