"""Crops and the cameras that belong to them."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import map_coordinates

from shared.camera import project_px
from shared.hand_model import load_hand_model
from tests.support.published.hands import published_hand
from trainer.import_dataset.crop import CROP_PX, crop_hand, mirrored_photograph
from trainer.import_dataset.reader import LeftOut

INTRINSICS = np.array([[480.0, 0.0, 150.0], [0.0, 470.0, 130.0], [0.0, 0.0, 1.0]])
RGB = np.dstack(np.broadcast_arrays(np.rint(np.arange(300) * 0.8)[None], np.arange(250)[:, None], 7)).astype(
    np.uint8
)
"""Red tells the column, green the row."""


def verts_m(*, x_m: float = 0.0, z_m: float = 0.7) -> np.ndarray:
    return published_hand(load_hand_model(), 0, centre_m=(x_m, 0.0, z_m)).verts_m.astype(np.float32)


def pixels(jpeg: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(jpeg)))


def test_the_camera_of_a_crop_shows_what_the_photograph_shows_there() -> None:
    """The colours of the crop, at the places of vertices, name their places in the photograph.

    Between its pixels a crop is interpolated. On average that is right to a small part of a pixel, so that
    half a pixel too far would be seen.
    """
    hand = verts_m()
    crop = crop_hand(RGB, INTRINSICS, hand, mask=None, margin=1.5)
    assert crop.mask_jpeg is None
    image = pixels(crop.jpeg).astype(float)
    projected = hand @ INTRINSICS.T
    expected = projected[:, :2] / projected[:, 2:] * (0.8, 1)
    x, y = project_px(hand.astype(np.float64), crop.camera).T
    seen = np.stack([map_coordinates(image[..., channel], (y, x), order=1) for channel in (0, 1)], axis=1)
    inside = ((x > 1) & (x < CROP_PX - 2) & (y > 1) & (y < CROP_PX - 2)).nonzero()
    np.testing.assert_allclose(seen[inside], expected[inside], atol=3)
    np.testing.assert_allclose((seen - expected)[inside].mean(axis=0), 0, atol=0.12)


def test_the_margin_is_around_the_longer_side_of_the_hand() -> None:
    crop = crop_hand(RGB, INTRINSICS, verts_m(), mask=None, margin=2.0)
    px = project_px(verts_m().astype(np.float64), crop.camera)
    np.testing.assert_allclose((px.max(axis=0) - px.min(axis=0)).max(), CROP_PX / 2, rtol=0.02)
    np.testing.assert_allclose((px.max(axis=0) + px.min(axis=0)) / 2, (CROP_PX - 1) / 2, atol=1)


def test_the_mask_is_cropped_alike() -> None:
    mask = np.zeros((250, 300), bool)
    mask[:, :150] = True
    crop = crop_hand(RGB, INTRINSICS, verts_m(), mask=mask, margin=1.5)
    assert crop.mask_jpeg is not None
    edge = (pixels(crop.mask_jpeg)[CROP_PX // 2, :, 0] > 127).sum()
    red = pixels(crop.jpeg)[CROP_PX // 2, :, 0].astype(float)
    assert abs(edge - (red < 0.8 * 149.5).sum()) <= 2


def test_a_mirror_moves_the_principal_point_with_the_pixels() -> None:
    rgb, intrinsics = mirrored_photograph(RGB, INTRINSICS)
    np.testing.assert_array_equal(rgb[:, 0], RGB[:, -1])
    point = np.array((0.03, -0.02, 0.6))
    before, after = ((k @ p)[:2] / p[2] for k, p in ((INTRINSICS, point), (intrinsics, point * (-1, 1, 1))))
    np.testing.assert_allclose(after, (299 - before[0], before[1]))


@pytest.mark.parametrize(
    ("hand", "reason"),
    [
        (verts_m(z_m=-0.7), "the hand is behind the camera"),
        (verts_m(x_m=0.3), "the hand is mostly outside of the photograph"),
        (verts_m(z_m=4.0), "the hand is smaller than 32 pixels"),
    ],
)
def test_hands_that_cannot_be_seen_are_left_out(hand: np.ndarray, reason: str) -> None:
    with pytest.raises(LeftOut, match=reason):
        crop_hand(RGB, INTRINSICS, hand, mask=None, margin=1.5)
