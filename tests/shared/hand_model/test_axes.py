"""The template's axes."""

import numpy as np

from shared.hand_model import load_hand_model
from shared.hand_model.axes import PALM_TO_CAMERA
from shared.skeleton import FINGERS, WRIST


def test_a_raised_hand_points_up_and_shows_its_palm() -> None:
    """Up is -y in camera axes; seen on its palm, a right hand has its thumb on the right."""
    model = load_hand_model()
    joints_m = (model.joint_regressor @ model.template_m) @ PALM_TO_CAMERA.T
    middle = joints_m[FINGERS["middle"][0]] - joints_m[WRIST]
    assert middle[1] < -0.9 * np.linalg.norm(middle)
    thumb, little = joints_m[FINGERS["thumb"][0]], joints_m[FINGERS["little"][0]]
    assert thumb[0] > little[0]


def test_it_is_a_rotation_and_no_mirror() -> None:
    np.testing.assert_array_equal(PALM_TO_CAMERA @ PALM_TO_CAMERA.T, np.eye(3))
    assert np.linalg.det(PALM_TO_CAMERA) == 1
