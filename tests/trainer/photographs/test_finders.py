from dataclasses import replace
from typing import cast

import numpy as np
import pytest

from shared.errors import ConfigError, DatasetError
from shared.seams.hand_finder import HandSquare, Sides
from tests.support.small_trained import tiny_trained
from trainer.photographs.finders import CentreCrop, GivenBoxes

PICTURE = np.zeros((100, 200, 3), np.uint8)


def test_a_freihand_photograph_is_cropped_as_in_training() -> None:
    (place,) = CentreCrop(tiny_trained().crop_share, "right").find(np.zeros((224, 224, 3), np.uint8))
    assert (place.centre_px, place.size_px) == ((111.5, 111.5), 180)


def test_the_middle_of_other_pictures_scales_with_their_short_side() -> None:
    (place,) = CentreCrop(0.5, "left").find(PICTURE)
    assert place == HandSquare(centre_px=(99.5, 49.5), size_px=50, side="left")


def test_a_network_trained_on_larger_photographs_sees_the_same_part_of_them() -> None:
    trained = replace(tiny_trained(), image_px=360)
    (place,) = CentreCrop(trained.crop_share, "right").find(np.zeros((720, 720, 3), np.uint8))
    assert place.size_px == 360


def test_a_square_surrounds_its_box() -> None:
    """Columns 10 to 29 and rows 40 to 49 of pixels, so from 9.5 to 29.5 and from 39.5 to 49.5."""
    (place,) = GivenBoxes([(10, 40, 20, 10)], ["right"], margin=1.0).find(PICTURE)
    assert (place.centre_px, place.size_px) == ((19.5, 44.5), 20)


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        (["left"], ["left", "left"]),
        (["both"], ["left", "right", "left", "right"]),
        (["right", "both"], ["right", "left", "right"]),
    ],
)
def test_a_side_is_for_all_boxes_or_for_its_own(sides: list[str], expected: list[str]) -> None:
    boxes = [(0.0, 0.0, 9.0, 9.0), (20.0, 20.0, 9.0, 9.0)]
    places = GivenBoxes(boxes, cast("list[Sides]", sides), margin=1.5).find(PICTURE)
    assert [place.side for place in places] == expected


def test_boxes_and_sides_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError, match="above 0, found 1 2 0 5"):
        GivenBoxes([(1, 2, 0, 5)], ["right"], margin=1.5)
    with pytest.raises(ConfigError, match="all 3 boxes or one for each, found 2"):
        GivenBoxes([(1, 2, 3, 5)] * 3, ["right", "left"], margin=1.5)


@pytest.mark.parametrize("box", [(200, 0, 5, 5), (-5, 0, 5, 5), (0, 100, 5, 5), (0, -9, 5, 9)])
def test_a_box_beside_the_picture_is_refused(box: tuple[int, int, int, int]) -> None:
    with pytest.raises(DatasetError, match="200 x 100"):
        GivenBoxes([box], ["right"], margin=1.5).find(PICTURE)


def test_mirroring_twice_changes_nothing() -> None:
    place = HandSquare(centre_px=(12.5, 7.0), size_px=30, side="left", confidence=0.5)
    assert place.mirrored(200) == HandSquare(centre_px=(186.5, 7.0), size_px=30, side="right", confidence=0.5)
    assert place.mirrored(200).mirrored(200) == place
