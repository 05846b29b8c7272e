"""From labels of either side to the mesh of a right hand in camera axes; left hands are seen in a mirror.

Mirrored are points (x), rotations (y and z of their axes), and the frame that the parameters are in. What
comes out is what the mirrored photograph shows.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Float32
from scipy.spatial.transform import Rotation

from shared.hand_model import HandModel
from shared.hand_model.left_hand import MIRROR, TURN_MIRROR
from shared.types import Side
from trainer.hands.posing import PosedHand
from trainer.import_dataset.reader import HandLabels, LeftOut, ManoParameters

MAX_DISAGREEMENT_M = 0.02
"""Between published joints and those of the mesh, on average. Datasets define joints some millimetres apart;
another hand model, or a fit that failed, gives centimetres."""

DISAGREE = "the published joints are elsewhere than the mesh"
"""Reason for leaving a hand out; if all are, the hand model is the wrong one."""


@dataclass(frozen=True, slots=True, eq=False)
class RightHand:
    """A mesh in the axes of the camera that sees it as a right hand.

    Attributes:
        verts_m: Vertices.
        mesh_joints_m: Joints that the hand model regresses from them.
        joints_m: The published joints, NaN where there is none.
        pose: Axis-angles as in FreiHAND: of the whole hand in camera axes, and 45 relative to the mean pose.
        shape: Coefficients.
    """

    verts_m: Float32[np.ndarray, "verts 3"]
    mesh_joints_m: Float32[np.ndarray, "21 3"]
    joints_m: Float32[np.ndarray, "21 3"]
    pose: Float32[np.ndarray, " 48"]
    shape: Float32[np.ndarray, " 10"]


class Posing:
    """Poses hands of both sides.

    Args:
        right: The hand model.
        left: The left one as `load_hand_model` returns it, in a mirror; None if it was not given.
        left_is_needed: Whether left hands were fitted with that; else with the right one in a mirror.
    """

    def __init__(
        self, right: HandModel, left: HandModel | None = None, *, left_is_needed: bool = False
    ) -> None:
        self.right = right
        self.left = left if left_is_needed else right

    def right_hand(self, labels: HandLabels, side: Side) -> RightHand:
        """Return the hand, mirrored if it is a left one.

        Raises:
            LeftOut: Mesh and published joints contradict each other, or there is nothing to make a mesh of.
        """
        mirror = MIRROR if side == "left" else np.ones(3, np.float32)
        joints_m = np.full((21, 3), np.nan) if labels.joints_m is None else labels.joints_m * mirror
        pose, shape = np.zeros(48), np.zeros(10)
        if labels.mano is not None:
            verts_m, pose = self._posed(labels.mano, side)
            shape = labels.mano.shape
        elif labels.verts_m is not None:
            verts_m = labels.verts_m * mirror
        else:
            raise LeftOut("there are no MANO parameters")
        if not np.isfinite(verts_m).all():
            raise LeftOut("the MANO parameters are no numbers")
        mesh_joints_m = self.right.joint_regressor @ verts_m
        self._check(joints_m, mesh_joints_m)
        arrays = (verts_m, mesh_joints_m, joints_m, pose, shape)
        return RightHand(*(np.asarray(each, dtype=np.float32) for each in arrays))

    def _posed(self, mano: ManoParameters, side: Side) -> tuple[np.ndarray, np.ndarray]:
        """Return vertices and pose."""
        is_left = side == "left"
        model = self.left if is_left else self.right
        if model is None:
            raise LeftOut("left hands need MANO_LEFT.pkl (--left-hand-model)")
        turn_mirror, mirror = (TURN_MIRROR, MIRROR) if is_left else (np.ones(3), np.ones(3))
        to_camera = mirror[:, None] * mano.to_camera * mirror
        turn = mano.turn * turn_mirror
        fingers = _from_the_mean(mano, model, turn_mirror)
        # The hand turns about its wrist, which lies elsewhere than the origin: first pose, then move.
        with torch.no_grad():
            posed = self._layer(model)(
                torch.from_numpy(np.concatenate([turn, fingers])[None].astype(np.float32)),
                torch.from_numpy(mano.shape[None].astype(np.float32)),
            )
        verts_m = posed.verts_m[0].numpy() + mano.translation_m * mirror
        in_camera = Rotation.from_matrix(to_camera) * Rotation.from_rotvec(turn)
        pose = np.concatenate([in_camera.as_rotvec(), fingers])
        return verts_m @ to_camera.T + mano.offset_m * mirror, pose

    def _check(self, joints_m: Float[np.ndarray, "21 3"], mesh_joints_m: Float[np.ndarray, "21 3"]) -> None:
        distances_m = np.linalg.norm(joints_m - mesh_joints_m, axis=1)
        known = np.isfinite(distances_m)
        if known.any() and distances_m[known].mean() > MAX_DISAGREEMENT_M:
            raise LeftOut(DISAGREE)

    @lru_cache(maxsize=2)  # noqa: B019 - there is one of these in an import, which ends with it
    def _layer(self, model: HandModel) -> PosedHand:
        return PosedHand(model)


def _from_the_mean(
    mano: ManoParameters, model: HandModel, turn_mirror: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "45"]:
    """Return the fingers' axis-angles relative to the mean pose; the model is in the mirror already."""
    mirrored: Float[np.ndarray, "45"] = mano.fingers * np.tile(turn_mirror, 15)
    match mano.fingers_are:
        case "components":
            mirrored = mano.fingers @ model.pose_directions
        case "angles":
            mirrored = mirrored - model.mean_pose
        case "angles from the mean":
            pass
    return mirrored
