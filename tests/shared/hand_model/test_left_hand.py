"""MANO's left hand becomes the right hand that a mirror shows."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from shared.errors import HandModelError
from shared.hand_model import load_hand_model
from shared.hand_model.left_hand import MIRROR, TURN_MIRROR, mirrored_fields
from tests.support.mano_files import open_hand_fields, write_left_mano_pickle, write_mano_pickle
from trainer.hands.posing import PosedHand


def test_a_left_hand_poses_like_the_right_one_in_a_mirror() -> None:
    """With pose correctives and a mean pose, which the open hand lacks."""
    rng = np.random.default_rng(0)
    right = replace(
        load_hand_model(),
        pose_dirs=rng.normal(scale=1e-3, size=(778, 3, 135)).astype(np.float32),
        mean_pose=rng.normal(scale=0.2, size=45).astype(np.float32),
    )
    fields = open_hand_fields() | {"posedirs": right.pose_dirs, "hands_mean": right.mean_pose}
    changed = mirrored_fields(fields)
    left = replace(
        right,
        template_m=changed["v_template"],
        shape_dirs=changed["shapedirs"].astype(np.float32),
        pose_dirs=changed["posedirs"].astype(np.float32),
        mean_pose=changed["hands_mean"].astype(np.float32),
    )
    pose, shape = (rng.normal(scale=0.5, size=(1, n)).astype(np.float32) for n in (48, 10))
    seen = PosedHand(right)(torch.from_numpy(pose), torch.from_numpy(shape)).verts_m[0].numpy()
    mirrored_pose = (pose.reshape(16, 3) * TURN_MIRROR).reshape(1, 48)
    mirrored = PosedHand(left)(torch.from_numpy(mirrored_pose), torch.from_numpy(shape)).verts_m[0].numpy()
    np.testing.assert_allclose(mirrored, seen * MIRROR, atol=1e-5)


def test_mirroring_twice_changes_nothing() -> None:
    fields = open_hand_fields()
    again = mirrored_fields(mirrored_fields(fields))
    for name, values in fields.items():
        if values.dtype.kind == "f":
            np.testing.assert_allclose(again[name], values, atol=1e-7, err_msg=name)


def test_the_file_of_the_left_hand_is_read_as_a_right_one(tmp_path: Path) -> None:
    path = write_left_mano_pickle(tmp_path / "MANO_LEFT.pkl", shapes_as_published=False)
    left, right = load_hand_model(path, side="left"), load_hand_model()
    np.testing.assert_allclose(left.template_m, right.template_m, atol=1e-7)
    np.testing.assert_allclose(left.shape_dirs, right.shape_dirs, atol=1e-7)
    np.testing.assert_array_equal(left.faces, right.faces)


def test_the_wrong_sign_of_the_published_shapes_is_kept(tmp_path: Path) -> None:
    """Data sets were fitted with it; with the sign mended their hands would have another shape."""
    left = load_hand_model(write_left_mano_pickle(tmp_path / "MANO_LEFT.pkl"), side="left")
    right = load_hand_model()
    np.testing.assert_allclose(left.shape_dirs[:, 0], -right.shape_dirs[:, 0], atol=1e-7)
    np.testing.assert_allclose(left.shape_dirs[:, 1:], right.shape_dirs[:, 1:], atol=1e-7)


def test_each_side_refuses_the_other_ones_file(tmp_path: Path) -> None:
    with pytest.raises(HandModelError, match=r"expected a left hand, found a right one\. Give MANO_LEFT"):
        load_hand_model(write_mano_pickle(tmp_path / "MANO_RIGHT.pkl"), side="left")
    with pytest.raises(HandModelError, match=r"expected a right hand, found a left one\. Give MANO_RIGHT"):
        load_hand_model(write_left_mano_pickle(tmp_path / "MANO_LEFT.pkl"))
