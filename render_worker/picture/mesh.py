"""The mesh that is rendered: the labelled hand, and a cap that closes its wrist."""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from jaxtyping import Float32, Int32

from shared.hand_model import HandModel


class OpenHand(NamedTuple):
    """The hand model's own pose, for whatever is made once and then moves with the hand.

    Attributes:
        verts_m: Vertices without the cap.
        joints_m: Joints.
    """

    verts_m: Float32[np.ndarray, "verts 3"]
    joints_m: Float32[np.ndarray, "21 3"]


class Rig(NamedTuple):
    """How a hand's mesh follows its bones.

    Attributes:
        skin_weights: Share of each of the 16 skinning joints in each vertex.
        joint_regressor: The 21 joints from posed vertices.
    """

    skin_weights: Float32[np.ndarray, "verts 16"]
    joint_regressor: Float32[np.ndarray, "21 verts"]


@dataclass(frozen=True, slots=True, eq=False)
class CappedMesh:
    """Triangles of a hand that is closed at the wrist without moving a labelled vertex.

    The cap has its own copies of the rim's vertices, so the edge at the cut stays sharp and the normals of
    the hand are those of the open mesh.

    Attributes:
        faces: Triangles, outward; vertices of the hand come first, then the rim's copies and its centre.
        rim: Vertices of the hand around the opening; none for a mesh that is closed already.
        open_hand: The model's own pose; None for a mesh that is not a hand.
        rig: How it follows its bones; None likewise.
    """

    faces: Int32[np.ndarray, "faces 3"]
    rim: Int32[np.ndarray, " rim"]
    open_hand: OpenHand | None = None
    rig: Rig | None = None

    @classmethod
    def of(cls, model: HandModel) -> Self:
        """Close the wrist of a hand model."""
        rim = np.array(model.wrist_ring, dtype=np.int32)
        first, count = model.num_verts, len(rim)
        here = first + np.arange(count)
        there = first + (np.arange(count) + 1) % count
        cap = np.stack([there, here, np.full(count, first + count)], axis=1)
        pose = OpenHand(model.template_m, (model.joint_regressor @ model.template_m).astype(np.float32))
        rig = Rig(model.skin_weights, model.joint_regressor)
        return cls(np.concatenate([model.faces, cap]).astype(np.int32), rim, pose, rig)

    @classmethod
    def closed(cls, faces: Int32[np.ndarray, "faces 3"]) -> Self:
        """Return a mesh that needs no cap."""
        return cls(faces, np.zeros(0, dtype=np.int32))

    @property
    def open_faces(self) -> Int32[np.ndarray, "faces 3"]:
        """Triangles without the cap's."""
        return self.faces[: len(self.faces) - len(self.rim)]

    @property
    def num_verts(self) -> int:
        """Number of vertices with the cap's."""
        return int(self.faces.max()) + 1

    def with_cap(self, verts: Float32[np.ndarray, "verts 3"]) -> Float32[np.ndarray, "capped 3"]:
        """Return the vertices of a hand followed by those of its cap."""
        if len(self.rim) == 0:
            return verts
        rim = verts[self.rim]
        return np.concatenate([verts, rim, rim.mean(axis=0, keepdims=True)])

    def normals(
        self, verts: Float32[np.ndarray, "capped 3"]
    ) -> tuple[Float32[np.ndarray, "capped 3"], Float32[np.ndarray, " capped"]]:
        """Return unit normals of the vertices, and the area that belongs to each."""
        # Axis by axis: numpy is slow where the last axis is short.
        axes, (first, second, third) = np.ascontiguousarray(verts.T), np.ascontiguousarray(self.faces.T)
        start = axes.take(first, axis=1)
        (ax, ay, az), (bx, by, bz) = axes.take(second, axis=1) - start, axes.take(third, axis=1) - start
        summed = np.stack(
            [
                sum(np.bincount(corner, crossed, len(verts)) for corner in (first, second, third))
                for crossed in (ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx)
            ],
            axis=1,
        )
        lengths = np.linalg.norm(summed, axis=1)
        # A third of every face around it; the cross product has twice the area of its face.
        areas = lengths / 6
        return (summed / np.maximum(lengths, 1e-12)[:, None]).astype(np.float32), areas.astype(np.float32)
