"""What is written can be used by a program that knows nothing but the format's description."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh

from shared.seams.hand_finder import HandSquare
from shared.types import Side
from tests.support.small_hands import open_hand
from trainer.photographs.hand import PhotographedHand
from trainer.photographs.output import hands_as_json, write_mesh
from trainer.photographs.overlay import draw_hands

WIDTH_PX, HEIGHT_PX = 300, 200
GREY = np.full((HEIGHT_PX, WIDTH_PX, 3), 128, np.uint8)


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
    text = json.dumps(hands_as_json("a.jpg", (WIDTH_PX, HEIGHT_PX), [hand], open_hand(), meshes=["a.obj"]))
    (stored,) = json.loads(text)["hands"]
    camera = stored["camera"]
    joints_m = np.array(stored["joints_m"])
    px = camera["scale_px_per_m"] * joints_m[:, :2] + camera["wrist_px"]
    np.testing.assert_allclose(px, stored["joints_px"], atol=2e-3)
    assert np.abs(joints_m[0]).max() < 1e-6
    assert (stored["side"], stored["confidence"], stored["mesh"]) == (side, 0.75, "a.obj")
    np.testing.assert_allclose(stored["verts_m"], hand.verts_m, atol=1e-6)


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
