"""From parameters in any frame, of either side, to a right hand in camera axes."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from shared.hand_model.left_hand import MIRROR
from shared.types import Side
from tests.support.published.hands import Models, PublishedHand, published_hand
from trainer.import_dataset.mesh import DISAGREE, Posing
from trainer.import_dataset.reader import FingerPose, HandLabels, LeftOut, ManoParameters

ROTATION = Rotation.from_rotvec((0.3, 1.2, -0.5)).as_matrix()
OFFSET_M = np.array((0.2, -0.1, 0.4))


def labels(
    hand: PublishedHand,
    *,
    fingers: np.ndarray | None = None,
    fingers_are: FingerPose = "angles from the mean",
) -> HandLabels:
    moved = hand.seen_from(ROTATION, OFFSET_M.tolist())
    return HandLabels(
        intrinsics=np.eye(3),
        mano=ManoParameters(
            turn=moved.turn,
            fingers=hand.fingers if fingers is None else fingers,
            fingers_are=fingers_are,
            shape=hand.shape,
            translation_m=moved.translation_m,
            to_camera=ROTATION,
            offset_m=OFFSET_M,
        ),
        joints_m=hand.joints_m,
    )


@pytest.mark.parametrize("side", ["right", "left"])
def test_hands_of_both_sides_come_from_another_frame(models: Models, side: Side) -> None:
    hand = published_hand(models.right, 3, side=side)
    found = Posing(models.right).right_hand(labels(hand), side)
    mirror = MIRROR if side == "left" else np.ones(3)
    np.testing.assert_allclose(found.verts_m, hand.verts_m * mirror, atol=1e-5)
    np.testing.assert_allclose(found.joints_m, hand.joints_m * mirror, atol=1e-6)
    np.testing.assert_allclose(found.mesh_joints_m, hand.joints_m * mirror, atol=1e-5)


@pytest.mark.parametrize("side", ["right", "left"])
def test_fingers_are_given_in_three_ways(models: Models, side: Side) -> None:
    """A left hand's mean and components are the right one's with y and z of each axis turned around."""
    hand = published_hand(models.right, 3, side=side)
    turned = np.tile((1, -1, -1), 15) if side == "left" else np.ones(45)
    absolute = hand.fingers + models.right.mean_pose * turned
    directions = models.right.pose_directions * turned
    coefficients = np.linalg.solve(directions.T.astype(np.float64), hand.fingers)
    posing = Posing(models.right)
    expected = posing.right_hand(labels(hand), side).verts_m
    for fingers, kind in ((absolute, "angles"), (coefficients, "components")):
        given = labels(hand, fingers=fingers, fingers_are="angles" if kind == "angles" else "components")
        np.testing.assert_allclose(posing.right_hand(given, side).verts_m, expected, atol=1e-5)


def test_the_left_file_is_used_where_hands_were_made_with_it(models: Models) -> None:
    """Its shapes have another sign, so that the right one would give another hand."""
    hand = published_hand(models.left, 3, side="left")
    found = Posing(models.right, models.left, left_is_needed=True).right_hand(labels(hand), "left")
    np.testing.assert_allclose(found.verts_m, hand.verts_m * MIRROR, atol=1e-5)
    with pytest.raises(LeftOut, match=r"left hands need MANO_LEFT\.pkl"):
        Posing(models.right, left_is_needed=True).right_hand(labels(hand), "left")


def test_a_mesh_that_contradicts_its_joints_is_left_out(models: Models) -> None:
    hand = published_hand(models.right, 3)
    hand.joints_m[:] += (0.0, 0.0, 0.018)  # another definition of joints
    Posing(models.right).right_hand(labels(hand), "right")
    hand.joints_m[:] += (0.0, 0.0, 0.004)
    with pytest.raises(LeftOut, match=DISAGREE):
        Posing(models.right).right_hand(labels(hand), "right")


def test_joints_that_are_not_annotated_contradict_nothing(models: Models) -> None:
    hand = published_hand(models.right, 3)
    hand.joints_m[5:] = np.nan
    found = Posing(models.right).right_hand(labels(hand), "right")
    assert np.isnan(found.joints_m[5:]).all()
    assert np.isfinite(found.mesh_joints_m).all()


def test_a_published_mesh_needs_no_parameters(models: Models) -> None:
    hand = published_hand(models.right, 3, side="left")
    given = HandLabels(intrinsics=np.eye(3), verts_m=hand.verts_m)
    found = Posing(models.right).right_hand(given, "left")
    np.testing.assert_allclose(found.verts_m, hand.verts_m * MIRROR, atol=1e-6)
    with pytest.raises(LeftOut, match="no MANO parameters"):
        Posing(models.right).right_hand(HandLabels(intrinsics=np.eye(3)), "left")


def test_parameters_that_are_no_numbers_are_left_out(models: Models) -> None:
    hand = published_hand(models.right, 3)
    hand.translation_m[0] = np.nan
    with pytest.raises(LeftOut, match="are no numbers"):
        Posing(models.right).right_hand(labels(hand), "right")
