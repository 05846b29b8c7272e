"""Finer triangles for a hand: a rounder surface, with room for colour and light to change."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from jaxtyping import Float32, Int32

from render_worker.picture.mesh import CappedMesh

_ROUNDNESS: Final = 0.75


@dataclass(frozen=True, slots=True, eq=False)
class Subdivision:
    """Splits every triangle into four, as often as asked for; no vertex moves, the new ones come after them.

    Attributes:
        meshes: The mesh before each split, and the finest one.
        edges: For each split, the two vertices that every new one lies between.
    """

    meshes: tuple[CappedMesh, ...]
    edges: tuple[Int32[np.ndarray, "edges 2"], ...]

    @classmethod
    def of(cls, coarse: CappedMesh, *, splits: int) -> Self:
        """Prepare the subdivision of a closed mesh."""
        meshes, levels = [coarse], []
        for _ in range(splits):
            faces = meshes[-1].faces
            sides = np.sort(np.stack([faces, np.roll(faces, -1, axis=1)], axis=2), axis=2)
            edges, edge_of = np.unique(sides.reshape(-1, 2), axis=0, return_inverse=True)
            # The new vertices on each triangle's first, second, and third side.
            middle = meshes[-1].num_verts + edge_of.reshape(-1, 3)
            corners = [np.stack([faces[:, k], middle[:, k], middle[:, k - 1]], axis=1) for k in range(3)]
            meshes.append(CappedMesh.closed(np.concatenate([*corners, middle]).astype(np.int32)))
            levels.append(edges.astype(np.int32))
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
