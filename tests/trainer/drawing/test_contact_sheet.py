"""What is drawn lies where the camera says, and a sheet has a place for everything."""

import numpy as np
import pytest
from PIL import Image

from shared.camera import project_px
from shared.hand_model import load_hand_model
from shared.types import WeakPerspective
from tests.support.small_dataset import SIZE_PX, labelled_hand
from trainer.drawing.contact_sheet import TILE_PX, Panel, Strip, draw_contact_sheet
from trainer.drawing.overlay import FINGER_COLOURS, HandInPicture, draw_mesh, draw_skeleton

FACES = load_hand_model().faces
GREY = np.full((SIZE_PX, SIZE_PX, 3), 128, np.uint8)


def hand_in_picture(index: int = 0) -> HandInPicture:
    hand = labelled_hand(index)
    return HandInPicture(hand.verts_m, hand.joints_m, hand.camera, SIZE_PX)


def changed(drawn: Image.Image, plain: Image.Image) -> np.ndarray:
    return np.asarray((np.asarray(drawn, np.int32) != np.asarray(plain, np.int32)).any(axis=2))


@pytest.mark.parametrize("size_px", [SIZE_PX, 200])
def test_the_mesh_covers_what_the_camera_projects(size_px: int) -> None:
    """Compared with the triangles' centres, which lie inside the silhouette, at the pixels they fall on."""
    plain = Image.new("RGB", (size_px, size_px), (10, 200, 10))
    hand = hand_in_picture()
    mask = changed(draw_mesh(plain, hand, FACES), plain)
    centres_m = hand.verts_m[FACES].mean(axis=1)
    centres_px = (project_px(centres_m, hand.camera) + 0.5) * (size_px / SIZE_PX) - 0.5
    inside = np.rint(centres_px[(np.abs(centres_px / size_px - 0.5) < 0.48).all(axis=1)]).astype(int)
    assert len(inside) > 500
    assert mask[inside[:, 1], inside[:, 0]].mean() > 0.99
    left, top = np.floor(centres_px.min(axis=0)).astype(int)
    right, bottom = np.ceil(centres_px.max(axis=0)).astype(int)
    margin = 1 + size_px // 50
    mask[max(top - margin, 0) : bottom + margin, max(left - margin, 0) : right + margin] = False
    assert not mask.any()


def test_nearer_surfaces_hide_farther_ones() -> None:
    """Two large triangles, the nearer one drawn last whatever their order: its shade wins."""
    near = np.array([[-0.1, -0.1, 0.4], [-0.1, 0.1, 0.4], [0.1, 0.0, 0.4]])
    far = np.array([[-0.1, -0.1, 0.5], [0.1, 0.0, 0.6], [-0.1, 0.1, 0.5]])
    joints_m = np.zeros((21, 3))
    camera = WeakPerspective(scale=8.0, tx_m=0.0, ty_m=0.0)
    plain = Image.new("RGB", (32, 32))

    def centre(*parts: np.ndarray) -> tuple[int, ...]:
        verts_m = np.concatenate(parts)
        faces = np.arange(len(verts_m), dtype=np.int32).reshape(-1, 3)
        drawn = draw_mesh(plain, HandInPicture(verts_m, joints_m, camera, 32), faces)
        return tuple(np.asarray(drawn)[16, 14])

    assert centre(near) != centre(far)
    assert centre(near, far) == centre(far, near) == centre(near)


def test_every_fingertip_has_the_colour_of_its_finger() -> None:
    size_px = 512
    hand = hand_in_picture()
    drawn = np.asarray(draw_skeleton(Image.new("RGB", (size_px, size_px)), hand), np.int32)
    tips_px = hand.project(hand.joints_m, size_px=size_px)[[4, 8, 12, 16, 20]]
    for (x, y), colour in zip(np.rint(tips_px).astype(int), FINGER_COLOURS.values(), strict=True):
        if 0 <= x < size_px and 0 <= y < size_px:
            assert np.abs(drawn[y, x] - colour).max() < 30


def test_joints_outside_of_the_picture_do_no_harm() -> None:
    hand = hand_in_picture()
    aside_m = np.array([2.0, 0, 0])
    far_away = HandInPicture(hand.verts_m + aside_m, hand.joints_m + aside_m, hand.camera, SIZE_PX)
    plain = Image.fromarray(GREY)
    assert not changed(draw_skeleton(draw_mesh(plain, far_away, FACES), far_away), plain).any()


def sheet_of(*strips: Strip) -> Image.Image:
    return draw_contact_sheet(strips, FACES, title="a sheet", headings=("photograph", "prediction"))


def test_strips_stand_side_by_side_and_below_each_other() -> None:
    strip = Strip("a strip", (Panel(GREY), Panel(GREY, hand_in_picture(), has_mesh=True)))
    one, three = sheet_of(strip), sheet_of(strip, strip, strip)
    assert 4 * TILE_PX > one.width > 2 * TILE_PX
    assert 6 * TILE_PX > three.width > 4 * TILE_PX
    assert three.height > 2 * TILE_PX > one.height


def test_a_panel_shows_what_it_is_given() -> None:
    hand = hand_in_picture()
    panels = [Panel(None), Panel(GREY), Panel(GREY, hand), Panel(GREY, hand, has_mesh=True)]
    sheets = {sheet_of(Strip("same", (panel,))).tobytes() for panel in panels}
    assert len(sheets) == len(panels)
    reasons = [Panel(None, why_empty="quarantined"), Panel(None, why_empty="no photograph")]
    assert sheet_of(Strip("same", (reasons[0],))) != sheet_of(Strip("same", (reasons[1],)))


def test_a_sheet_without_samples_is_just_its_title() -> None:
    assert sheet_of().height < TILE_PX
