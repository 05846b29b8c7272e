"""The hand model: everything that turns pose and shape into a mesh, as `shared.hand_model.loading` reads it.

Joint order, fingertips, and faces follow from its file; no other module knows a vertex number.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Float32, Int32

from shared.skeleton import FINGERS

type Fingertips = Literal["default", "legacy"]

FIELD_ORDER = (0, 13, 14, 15, 16, 1, 2, 3, 17, 4, 5, 6, 18, 10, 11, 12, 19, 7, 8, 9, 20)
"""For each of the 21 joints, its index among MANO's 16 joints followed by thumb to little fingertip."""

FINGER_CHAINS: dict[str, tuple[int, ...]] = {
    finger: tuple(FIELD_ORDER[joint] for joint in chain[:3]) for finger, chain in FINGERS.items()
}
"""The skinning joints of each finger, from base to end, in the order that both kinds of file share."""

MANO_FINGERTIPS: dict[Fingertips, tuple[int, ...]] = {
    "default": (744, 320, 443, 555, 672),  # FreiHAND's own
    "legacy": (745, 317, 445, 556, 673),  # METRO, Mesh Graphormer, FastMETRO
}
"""Vertices that serve as fingertips, thumb to little finger: MANO's file does not say."""


@dataclass(frozen=True, eq=False, slots=True)
class Anatomy:
    """How the joints of a hand can turn. MANO's file does not say; the embedded hand's does.

    Attributes:
        axes: For each of the 16 skinning joints, the axes of flexion, abduction, and twist in the template.
        limits_rad: Least and greatest angle about each of them.
    """

    axes: Float32[np.ndarray, "16 3 3"]
    limits_rad: Float32[np.ndarray, "16 3 2"]


@dataclass(frozen=True, eq=False, kw_only=True)
class HandModel:
    """A right hand with 16 skinning joints, in MANO's parametrisation.

    Attributes:
        name: What the file calls itself; ``mano`` for MANO's.
        sha256: Hash of the file, for provenance and caches.
        template_m: Vertices of the mean shape in the zero pose.
        faces: Triangles, counter-clockwise seen from outside; open at the wrist.
        shape_dirs: Displacement per unit of each shape coefficient, metres.
        pose_dirs: Displacement per entry of the 15 rotation matrices minus identity, metres.
        skin_weights: Share of each joint in each vertex; rows sum to 1.
        skin_joint_regressor: The 16 skinning joints from *unposed* vertices.
        parents: Of the 16 skinning joints; -1 for the wrist.
        mean_pose: Axis-angle of joints 1 to 15 that a pose parameter of zero means, radians.
        pose_components: Rows are one standard deviation along the principal directions of pose, radians.
        pose_directions: The same as the file has them: what data sets multiply with their coefficients.
        joint_regressor: The 21 joints of `shared.skeleton` from *posed* vertices; rows sum to 1.
        anatomy: How the joints can turn, if the file says.
        fingertips: Which of MANO's vertices are the tips; None if the file has joints of its own.
    """

    name: str
    sha256: str
    template_m: Float32[np.ndarray, "verts 3"]
    faces: Int32[np.ndarray, "faces 3"]
    shape_dirs: Float32[np.ndarray, "verts 3 shapes"]
    pose_dirs: Float32[np.ndarray, "verts 3 135"]
    skin_weights: Float32[np.ndarray, "verts 16"]
    skin_joint_regressor: Float32[np.ndarray, "16 verts"]
    parents: tuple[int, ...]
    mean_pose: Float32[np.ndarray, " 45"]
    pose_components: Float32[np.ndarray, "45 45"]
    pose_directions: Float32[np.ndarray, "45 45"]
    joint_regressor: Float32[np.ndarray, "21 verts"]
    anatomy: Anatomy | None
    fingertips: Fingertips | None = None

    @property
    def num_verts(self) -> int:
        """Number of vertices."""
        return len(self.template_m)

    @property
    def num_shapes(self) -> int:
        """Number of shape coefficients."""
        return int(self.shape_dirs.shape[2])

    def joint_regressor_with(self, fingertips: Fingertips) -> Float32[np.ndarray, "21 verts"]:
        """Return the joints from posed vertices with other vertices of MANO as fingertips."""
        assert self.fingertips is not None, "the model has joints of its own"
        regressor = self.joint_regressor.copy()
        for chain, vertex in zip(FINGERS.values(), MANO_FINGERTIPS[fingertips], strict=True):
            regressor[chain[-1]] = np.eye(1, self.num_verts, vertex)
        return regressor

    @cached_property
    def wrist_ring(self) -> tuple[int, ...]:
        """Vertices around the opening at the wrist, in the direction in which the faces run along it.

        A triangle that closes the hole must therefore contain ``(ring[i + 1], ring[i])``.
        """
        edges = {(int(a), int(b)) for f in self.faces for a, b in zip(f, np.roll(f, -1), strict=True)}
        following = {a: b for a, b in edges if (b, a) not in edges}
        ring = [min(following)]
        while (vertex := following[ring[-1]]) != ring[0]:
            ring.append(vertex)
        return tuple(ring)
