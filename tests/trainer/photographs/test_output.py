"""What is written can be used by a program that knows nothing but the format's description."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from shared.seams.hand_finder import HandSquare
from shared.types import Side
from tests.support.small_hands import open_hand
from trainer.hands.posing import PosedHand
from trainer.photographs.hand import PhotographedHand
from trainer.photographs.lens import lens_of
from trainer.photographs.output import (
    ROW_HEADINGS,
    DescribedHand,
    DescribedPicture,
    describe_hand,
    write_mesh,
)
from trainer.photographs.overlay import draw_hands

WIDTH_PX, HEIGHT_PX = 300, 200
GREY = np.full((HEIGHT_PX, WIDTH_PX, 3), 128, np.uint8)


LENS = lens_of((WIDTH_PX, HEIGHT_PX), given_px=400.0, film_mm=None)


def described(*hands: DescribedHand) -> DescribedPicture:
    return DescribedPicture(name="a.jpg", size_px=(WIDTH_PX, HEIGHT_PX), lens=LENS, hands=hands)


def hand_at(x: float, y: float, side: Side = "right") -> PhotographedHand:
    """The template, fingers up, its palm to the camera."""
    model = open_hand()
    axes = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]], np.float32)
    verts_m = (model.template_m - model.joint_regressor[0] @ model.template_m) @ axes.T
    joints_m = model.joint_regressor @ verts_m
    hand = PhotographedHand(
        HandSquare(centre_px=(x, y), size_px=90, side="right", confidence=0.75),
        verts_m,
        joints_m,
        500.0,
        (x, y),
    )
    return hand if side == "right" else replace(hand.mirrored(WIDTH_PX), wrist_px=(x, y))


@pytest.mark.parametrize("side", ["right", "left"])
def test_the_json_projects_by_its_own_camera(side: Side) -> None:
    hand = hand_at(150.0, 140.0, side)
    picture = described(replace(describe_hand(hand, LENS, open_hand(), with_parameters=True), mesh="a.obj"))
    (stored,) = json.loads(json.dumps(picture.to_json(open_hand())))["hands"]
    camera = stored["camera"]
    joints_m = np.array(stored["joints_m"])
    px = camera["scale_px_per_m"] * joints_m[:, :2] + camera["wrist_px"]
    np.testing.assert_allclose(px, stored["joints_px"], atol=2e-3)
    assert np.abs(joints_m[0]).max() < 1e-6
    assert (stored["side"], stored["confidence"], stored["mesh"]) == (side, 0.75, "a.obj")
    np.testing.assert_allclose(stored["verts_m"], hand.verts_m, atol=1e-6)


@pytest.mark.parametrize("side", ["right", "left"])
def test_the_wrist_is_where_the_lens_sees_the_hand(side: Side) -> None:
    """Half a metre and more away, perspective hardly differs from the weak one."""
    hand = hand_at(150.0, 140.0, side)
    (stored,) = described(describe_hand(hand, LENS, open_hand(), with_parameters=False)).to_json(open_hand())[
        "hands"
    ]
    assert stored["parameters"] is None
    points_m = np.array(stored["verts_m"]) + stored["wrist_m"]
    px = LENS.focal_px * points_m[:, :2] / points_m[:, 2:] + LENS.centre_px
    assert stored["wrist_m"][2] == pytest.approx(LENS.focal_px / 500.0, rel=0.05)
    np.testing.assert_allclose(px, hand.project(hand.verts_m), atol=3.0)


@pytest.mark.parametrize("side", ["right", "left"])
def test_the_parameters_make_the_mesh_again(side: Side) -> None:
    """By smplx, which the fit does not use; a left hand's in the mirror."""
    hand = hand_at(150.0, 140.0, side)
    content = described(describe_hand(hand, LENS, open_hand(), with_parameters=True)).to_json(open_hand())
    stored = content["hands"][0]["parameters"]
    mirror = np.array([-1, 1, 1] if side == "left" else [1, 1, 1])
    pose = np.array(stored["pose_rad"]).reshape(16, 3) * (mirror * mirror[0])
    posed = PosedHand(open_hand())(
        torch.tensor(pose.reshape(1, 48), dtype=torch.float32),
        torch.tensor([stored["shape"]], dtype=torch.float32),
    )
    verts_m = posed.verts_m[0].numpy() * mirror + stored["shift_m"]
    assert np.linalg.norm(verts_m - hand.verts_m, axis=1).mean() < 3e-4
    assert stored["residual_mm"] < 0.3


def test_a_row_has_a_value_for_every_column() -> None:
    hand = hand_at(150.0, 140.0)
    picture = described(describe_hand(hand, LENS, open_hand(), with_parameters=True))
    (row,) = picture.to_rows()
    cells = dict(zip(ROW_HEADINGS, row, strict=True))
    assert cells["wrist_x_px"] == pytest.approx(150.0, abs=1e-2)
    assert cells["index_tip_z_m"] == pytest.approx(float(hand.joints_m[8, 2]), abs=1e-6)
    assert cells["shape_9"] != ""
    assert cells["focal_from"] == "given"
    (bare,) = described(describe_hand(hand, LENS, open_hand(), with_parameters=False)).to_rows()
    assert len(bare) == len(ROW_HEADINGS)


def test_a_glb_stands_upright_for_other_programs(tmp_path: Path) -> None:
    """In glTF y is up and the camera looks along -z; the hand of the fixture points up in the picture."""
    hand = hand_at(100, 100)
    write_mesh(tmp_path / "hand.glb", hand, open_hand())
    mesh = trimesh.load_mesh(tmp_path / "hand.glb", process=False)
    np.testing.assert_allclose(mesh.vertices, hand.verts_m * (1, -1, -1), atol=1e-6)
    assert mesh.vertices[:, 1].max() > 0.12
    assert mesh.volume > 0


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("suffix", ["obj", "ply"])
def test_a_mesh_holds_the_vertices_and_faces_outwards(side: Side, suffix: str, tmp_path: Path) -> None:
    """The sum of signed tetrahedra is positive for faces that look outwards; the open wrist is small."""
    hand = hand_at(100, 100, side)
    path = tmp_path / f"hand.{suffix}"
    write_mesh(path, hand, open_hand())
    mesh = trimesh.load_mesh(path, process=False)
    np.testing.assert_allclose(mesh.vertices, hand.verts_m, atol=1e-6)
    assert mesh.volume > 0


def drawn(*hands: PhotographedHand) -> np.ndarray:
    picture = np.asarray(draw_hands(GREY, hands, open_hand().faces), np.int32)
    assert picture.shape == GREY.shape
    return np.asarray((picture != 128).any(axis=2))


@pytest.mark.parametrize("side", ["right", "left"])
def test_the_overlay_lies_where_the_camera_projects(side: Side) -> None:
    hand = hand_at(150, 150, side)
    mask = drawn(hand)
    centres = hand.project(hand.verts_m[open_hand().faces].mean(axis=1))
    inside = np.rint(centres).astype(int)
    assert mask[inside[:, 1], inside[:, 0]].mean() > 0.99
    low, high = np.floor(centres.min(axis=0)).astype(int) - 4, np.ceil(centres.max(axis=0)).astype(int) + 5
    mask[low[1] : high[1], low[0] : high[0]] = False
    assert not mask.any()


def test_the_mirrored_hand_covers_the_mirrored_pixels() -> None:
    hand = hand_at(110, 150)
    assert (drawn(hand)[:, ::-1] != drawn(hand.mirrored(WIDTH_PX))).mean() < 0.004


def test_hands_over_the_edge_are_cut_off_and_those_beyond_are_left_out() -> None:
    edge = drawn(hand_at(2, 150))
    assert edge.any()
    assert not edge[:, 100:].any()
    assert not drawn(hand_at(-400, 150)).any()
    assert not drawn(hand_at(150, 900)).any()


def test_a_hand_that_is_no_number_is_left_out() -> None:
    broken = hand_at(float("nan"), 100)
    assert not drawn(broken).any()
    assert (drawn(broken, hand_at(150, 150)) == drawn(hand_at(150, 150))).all()
