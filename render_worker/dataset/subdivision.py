"""Finer triangles for a hand: a rounder surface, with room for colour and light to change."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from jaxtyping import Float32, Int, Int32

from render_worker.picture.mesh import CappedMesh

_ROUNDNESS: Final = 0.75


@dataclass(frozen=True, slots=True, eq=False)
class Subdivision:
    """Splits triangles into four, as often as asked for; no vertex moves, the new ones come after them.

    A triangle beside one that is split more often is cut in two or three, so that no gap opens.

    Attributes:
        meshes: The mesh before each split, and the finest one.
        edges: For each split, the two vertices that every new one lies between.
    """

    meshes: tuple[CappedMesh, ...]
    edges: tuple[Int32[np.ndarray, "edges 2"], ...]

    @classmethod
    def of(cls, coarse: CappedMesh, *, splits: int | Int[np.ndarray, " faces"]) -> Self:
        """Prepare the subdivision of a closed mesh.

        Args:
            coarse: The mesh.
            splits: How often each triangle is split.
        """
        meshes, levels = [coarse], []
        left = np.broadcast_to(splits, len(coarse.faces))
        while left.max(initial=0) > 0:
            faces, first_new = meshes[-1].faces, meshes[-1].num_verts
            sides = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], axis=2), axis=2)
            edges, edge_of = np.unique(sides.reshape(-1, 2), axis=0, return_inverse=True)
            is_split = np.zeros(len(edges), dtype=bool)
            is_split[edge_of.reshape(-1, 3)[left > 0]] = True
            new_of = np.where(is_split, first_new + np.cumsum(is_split) - 1, -1)
            finer, parent = _cut(faces, new_of[edge_of.reshape(-1, 3)])
            meshes.append(CappedMesh.closed(finer))
            levels.append(edges[is_split].astype(np.int32))
            left = np.maximum(left[parent] - 1, 0)
        return cls(tuple(meshes), tuple(levels))

    @property
    def finest(self) -> CappedMesh:
        """The mesh after the last split."""
        return self.meshes[-1]

    def refine(self, values: Float32[np.ndarray, "verts ..."]) -> Float32[np.ndarray, "more ..."]:
        """Return values of all vertices, linear within the large triangles."""
        for edges in self.edges:
            values = np.concatenate([values, (values[edges[:, 0]] + values[edges[:, 1]]) / 2])
        return values

    def round_off(self, verts_m: Float32[np.ndarray, "verts 3"]) -> Float32[np.ndarray, "more 3"]:
        """Return the places of all vertices, new ones pulled to where the surface would curve.

        Boubekeur and Alexa, *Phong tessellation*, 2008. On a flat triangle every new vertex would have the
        triangle's own normal, and its edges would be seen.
        """
        for mesh, edges in zip(self.meshes, self.edges, strict=False):
            normals, _ = mesh.normals(verts_m)
            first_m, second_m = verts_m[edges[:, 0]], verts_m[edges[:, 1]]
            middle_m, pull_m = (first_m + second_m) / 2, np.zeros_like(first_m)
            for end, end_m in ((0, first_m), (1, second_m)):
                normal = normals[edges[:, end]]
                pull_m -= ((middle_m - end_m) * normal).sum(axis=1, keepdims=True) * normal / 2
            verts_m = np.concatenate([verts_m, middle_m + _ROUNDNESS * pull_m])
        return verts_m


def _cut(
    faces: Int32[np.ndarray, "faces 3"], middle: Int[np.ndarray, "faces 3"]
) -> tuple[Int32[np.ndarray, "finer 3"], Int[np.ndarray, " finer"]]:
    """Return the triangles that take the place of others, and the number of the one that each was part of.

    Args:
        faces: Triangles.
        middle: The new vertex on each triangle's first, second, and third side; -1 where there is none.
    """
    number, count = np.arange(len(faces)), (middle >= 0).sum(axis=1)
    # Two sides: the one that stays whole is turned to the end. One side: it is turned to the front.
    turn = np.where(count == 1, middle.argmax(axis=1), np.where(count == 2, middle.argmin(axis=1) + 1, 0))
    order = (turn[:, None] + np.arange(3)) % 3
    a, b, c = np.take_along_axis(faces, order, axis=1).T
    ab, bc, ca = np.take_along_axis(middle, order, axis=1).T
    pieces = (
        ((a, b, c), count == 0),
        ((a, ab, c), count == 1),
        ((ab, b, c), count == 1),
        ((a, ab, bc), count == 2),
        ((a, bc, c), count == 2),
        ((ab, b, bc), count >= 2),
        ((a, ab, ca), count == 3),
        ((c, ca, bc), count == 3),
        ((ab, bc, ca), count == 3),
    )
    finer = [np.stack([corner[chosen] for corner in corners], axis=1) for corners, chosen in pieces]
    return np.concatenate(finer).astype(np.int32), np.concatenate([number[chosen] for _, chosen in pieces])
