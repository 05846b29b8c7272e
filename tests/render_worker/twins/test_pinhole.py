"""A hand that goes before a pinhole camera stays where it was in the picture."""

import numpy as np
import pytest

from render_worker.twins.pinhole import before_pinhole
from shared.camera import project_px
from shared.errors import RenderError
from shared.types import Intrinsics, WeakPerspective
from tests.support.small_scene import open_hand
from trainer.hands.sampled import labelled_hand

HAND = labelled_hand(open_hand(), seed=0, index=0)
VERTS_M, JOINTS_M = HAND.verts_m - HAND.joints_m[0], HAND.joints_m - HAND.joints_m[0]


def test_the_middle_keeps_its_place_and_its_size() -> None:
    camera = WeakPerspective(6.0, 0.03, -0.02)
    posed = before_pinhole(VERTS_M, JOINTS_M, camera, image_px=224)
    middle_m = JOINTS_M.mean(axis=0)
    flat_m = middle_m + np.array([[0, 0, 0], [0.01, 0, 0], [0, 0.01, 0]])
    there_m = flat_m + (posed.joints_m - JOINTS_M)[0]
    expected_px = project_px(flat_m, camera, size_px=224)
    np.testing.assert_allclose(project_px(there_m, posed.camera, size_px=224), expected_px, atol=1e-3)
    np.testing.assert_allclose(posed.verts_m - posed.joints_m[0], VERTS_M - JOINTS_M[0], atol=1e-6)
    off_px = project_px(posed.joints_m, posed.camera) - project_px(JOINTS_M, camera, size_px=224)
    assert 0.1 < np.linalg.norm(off_px, axis=1).mean() < 5  # perspective, and nothing else


def test_a_hand_of_a_pinhole_camera_stays_as_it_is() -> None:
    posed = before_pinhole(HAND.verts_m, HAND.joints_m, HAND.camera, image_px=224)
    assert posed.verts_m is HAND.verts_m
    assert isinstance(posed.camera, Intrinsics)


def test_a_camera_that_shows_nothing_is_refused() -> None:
    with pytest.raises(RenderError, match="expected a camera that magnifies, found a scale of -2"):
        before_pinhole(VERTS_M, JOINTS_M, WeakPerspective(-2.0, 0, 0), image_px=224)
