"""A hand from all sides: the right way round, and a left hand as the mirror of a right one."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from render_worker.picture.mesh import CappedMesh
from render_worker.turntable import Turntable
from shared.seams.renderer import RenderSettings
from shared.types import WeakPerspective
from tests.support.rasteriser import overlap, rasterise
from tests.support.small_scene import FlatScene, open_hand
from trainer.hands.sampled import labelled_hand

SIZE_PX = 64
MIRROR = np.array([-1, 1, 1], np.float32)


@pytest.fixture
def verts_m() -> np.ndarray:
    return labelled_hand(open_hand(), seed=0, index=1).verts_m


def mask(view: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(view.astype(int) - (250, 250, 248)).sum(axis=2) > 30)


@pytest.mark.blender
def test_blender_turns_the_hand_about_the_vertical_and_mirrors_left_ones(verts_m: np.ndarray) -> None:
    table = Turntable(open_hand(), RenderSettings(samples=4), size_px=SIZE_PX, num_views=4)
    views = table.views(verts_m)
    for view, angle in zip(views, np.radians([0, -90, -180, -270]), strict=True):
        turned = _turned_about_y(verts_m - (verts_m.max(axis=0) + verts_m.min(axis=0)) / 2, angle)
        mesh = CappedMesh.of(open_hand())
        reach_m = max(np.linalg.norm(turned[:, [0, 2]], axis=1).max(), np.abs(turned[:, 1]).max())
        seen = rasterise(
            mesh.with_cap(turned), mesh.faces, WeakPerspective(0.86 / reach_m, 0, 0),
            width_px=SIZE_PX, height_px=SIZE_PX,
        )  # fmt: skip
        assert overlap(seen.coverage > 0.5, mask(view)) > 0.9
    for left, right in zip(table.views(verts_m * MIRROR, is_left=True), views, strict=True):
        np.testing.assert_array_equal(left, right[:, ::-1])


def _turned_about_y(points_m: np.ndarray, angle: float) -> np.ndarray:
    x, y, z = points_m.T
    return np.stack(
        [np.cos(angle) * x + np.sin(angle) * z, y, np.cos(angle) * z - np.sin(angle) * x], axis=1
    ).astype(np.float32)


def test_a_turn_is_saved_as_one_moving_picture(verts_m: np.ndarray, tmp_path: Path) -> None:
    table = Turntable(open_hand(), RenderSettings(), size_px=SIZE_PX, num_views=5, start_scene=FlatScene)
    table.save(tmp_path / "hand.gif", verts_m)
    with Image.open(tmp_path / "hand.gif") as picture:
        assert (getattr(picture, "n_frames", 1), picture.size) == (5, (SIZE_PX, SIZE_PX))
