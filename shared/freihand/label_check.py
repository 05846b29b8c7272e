"""Whether the labels of a data set are meshes of the hand model that a run uses."""

import numpy as np

from shared.errors import ConfigError
from shared.freihand.reader import FreiHandSplit
from shared.hand_model import HandModel

MAX_REGRESSION_M = 0.015
"""Vertices in another order give centimetres; other definitions of the same joints a few millimetres."""


def check_labels(split: FreiHandSplit, hand_model: HandModel, *, setting: str = "hand_model") -> None:
    """Make sure that the labels are meshes of this hand model.

    Args:
        split: Has the labels.
        hand_model: Whose meshes they should be.
        setting: What the user sets to choose the hand model: a key, or the option of a command.

    Raises:
        ConfigError: Their number of vertices differs, or their order: joints regressed from the vertices
            are then far from the labelled joints.
    """
    advice = f"Set {setting} to the model that the labels were made with."
    if split.verts_m.shape[1] != hand_model.num_verts:
        raise ConfigError(
            (
                f"{split.root}: expected meshes of {hand_model.num_verts} vertices as in the hand model "
                f"{hand_model.name}, found {split.verts_m.shape[1]}."
            ),
            remedy=advice,
        )
    regressed_m = hand_model.joint_regressor @ split.verts_m[0]
    distance_m = float(np.linalg.norm(regressed_m - split.joints_m[0], axis=-1).mean())
    if distance_m > MAX_REGRESSION_M:
        raise ConfigError(
            (
                f"{split.root}: expected joints within {1000 * MAX_REGRESSION_M:.0f} mm of "
                "those that the hand "
                f"model {hand_model.name} regresses from the vertices, found {1000 * distance_m:.0f} mm."
            ),
            remedy=advice,
        )
