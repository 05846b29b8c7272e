"""The decimated hand with its skin, in any shape and pose, and where its 21 joints then truly are."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy.spatial.transform import Rotation

from shared.hand_model.model import FINGER_CHAINS
from shared.skeleton import FINGERS, WRIST
from tools.open_hand.skinning import skin, unit

TIP_INSET_M = 0.0045
"""How far inside the end of a finger data sets put its tip."""


@dataclass(frozen=True, eq=False)
class SkinnedHand:
    """Everything that linear blend skinning needs.

    Attributes:
        template_m: Vertices of the mean shape, flat.
        faces: Triangles.
        shape_dirs: Displacement per standard deviation of each shape.
        weights: Share of each of the 16 joints in each vertex.
        rest_regressor: The 16 joints from unposed vertices.
        finger_ends: The vertex at the very end of each finger.
    """

    template_m: Float64[np.ndarray, "verts 3"]
    faces: Int64[np.ndarray, "faces 3"]
    shape_dirs: Float64[np.ndarray, "verts 3 shapes"]
    weights: Float64[np.ndarray, "verts 16"]
    rest_regressor: Float64[np.ndarray, "16 verts"]
    finger_ends: dict[str, int]

    @property
    def joints_m(self) -> Float64[np.ndarray, "16 3"]:
        """The skinning joints of the template."""
        return self.rest_regressor @ self.template_m

    def posed(
        self, turns: Float64[np.ndarray, "hands 16 3"], shapes: Float64[np.ndarray, "hands shapes"]
    ) -> tuple[Float64[np.ndarray, "hands verts 3"], Float64[np.ndarray, "hands 21 3"]]:
        """Return vertices and true joints: 16 of the skeleton, and the tips, fixed to the end bones."""
        verts_m = self.template_m + np.einsum("vcs,ns->nvc", self.shape_dirs, shapes)
        joints_m = np.einsum("jv,nvc->njc", self.rest_regressor, verts_m)
        end_joints = [chain[-1] for chain in FINGER_CHAINS.values()]
        end_verts_m = verts_m[:, list(self.finger_ends.values())]
        tips_m = end_verts_m - TIP_INSET_M * unit(end_verts_m - joints_m[:, end_joints])
        points_m, posed_joints_m = skin(
            np.concatenate([verts_m, tips_m], axis=1),
            joints_m,
            np.concatenate([self.weights, np.eye(16)[end_joints]]),
            Rotation.from_rotvec(turns.reshape(-1, 3)).as_matrix().reshape(-1, 16, 3, 3),
        )
        truth_m = np.empty((len(turns), 21, 3))
        truth_m[:, WRIST] = posed_joints_m[:, 0]
        for row, finger in enumerate(FINGERS):
            truth_m[:, FINGERS[finger][:3]] = posed_joints_m[:, FINGER_CHAINS[finger]]
            truth_m[:, FINGERS[finger][3]] = points_m[:, len(self.template_m) + row]
        return points_m[:, : len(self.template_m)], truth_m
