"""The summary of real hands: angles from turns, and a spread that comes back."""

import numpy as np
import pytest

from shared.hand_model import HandModel, load_hand_model
from trainer.hands.pose_prior import rotation_vectors

pytest.importorskip("tools.real_poses", reason="the build tools are not part of an installed package")

from tools.real_poses import angles_of, summarise


@pytest.fixture(scope="module")
def model() -> HandModel:
    return load_hand_model()


def test_angles_are_found_again_in_the_rotations_that_they_make(model: HandModel) -> None:
    assert model.anatomy is not None
    angles = np.zeros((1, 5, 5))
    angles[0] = (
        (20, -12, 9, 14, 30),
        (88, 3, 2, 90, 40),
        (-10, 9, -3, 5, 2),
        (60, -6, 1, 70, 30),
        (5, 9, 4, 8, 6),
    )
    turns = rotation_vectors(model.anatomy, angles[0])
    np.testing.assert_allclose(angles_of(model.anatomy, turns[None]), angles, atol=0.1)


def test_a_summary_gives_back_the_spread_of_what_it_was_made_from() -> None:
    rng = np.random.default_rng(0)
    angles = rng.normal(size=(4000, 25)) * np.linspace(1, 9, 25) + 7
    means, spreads = summarise(angles, np.zeros(4000, int))
    again = means[0] + rng.standard_normal((4000, 25)) @ spreads[0]
    np.testing.assert_allclose(again.mean(axis=0), 7, atol=0.6)
    np.testing.assert_allclose(again.std(axis=0), np.linspace(1, 9, 25), rtol=0.1)
