"""Thin out a mesh without moving what stays: every vertex of the result is a vertex of the original.

Edges are collapsed into one of their ends, the cheapest first (quadric error metric, Garland & Heckbert
1997). A label of the thin mesh is therefore plain indexing into a label of the original one.
"""

import heapq
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Int64

from shared.errors import HandModelError

REGULARITY = 0.5
"""Price of an edge's length, relative to the quadric error; it keeps vertices in flat regions."""

RIM_WEIGHT = 10.0
"""How much dearer it is to move the mesh's rim than its surface."""

_LARGEST_TURN = 0.2
"""A triangle may not turn further than to this cosine, or the surface would fold."""

type Face = tuple[int, int, int]


class Decimated(NamedTuple):
    """A thinner mesh.

    Attributes:
        vert_ids: The vertices that stayed, ascending.
        faces: Triangles, as places in `vert_ids`; oriented like the original ones.
    """

    vert_ids: Int64[np.ndarray, " kept"]
    faces: Int64[np.ndarray, "faces 3"]


def decimate(
    verts_m: Float[np.ndarray, "verts 3"], faces: Int[np.ndarray, "faces 3"], *, num_verts: int
) -> Decimated:
    """Remove vertices until ``num_verts`` are left; topology and rim survive, and nothing is random.

    Raises:
        HandModelError: The mesh cannot be thinned out that far without tearing or folding it.
    """
    mesh = _Mesh(verts_m, faces)
    quadrics = _quadrics(mesh)
    points = np.column_stack([mesh.verts_m, np.ones(len(verts_m))])
    per_length = REGULARITY * np.mean([_plane(mesh.verts_m[list(face)])[1] for face in mesh.faces()])

    def price(gone: int, kept: int) -> float:
        surface = points[kept] @ (quadrics[gone] + quadrics[kept]) @ points[kept]
        length = np.square(points[gone] - points[kept]).sum()
        # Rounded, so that the order of equal prices does not depend on a processor's last bit.
        return float(f"{surface + per_length * length:.9e}")

    queue = [(price(a, b), a, b) for a in range(len(verts_m)) for b in mesh.neighbours(a)]
    heapq.heapify(queue)
    denied: set[tuple[int, int]] = set()
    while mesh.num_verts > num_verts:
        if not queue:
            raise HandModelError(
                (
                    f"decimation: expected to reach {num_verts} vertices, found no edge to collapse at "
                    f"{mesh.num_verts}."
                ),
                remedy="Ask for a finer coarse mesh, or repair the hand model's faces.",
            )
        offer, gone, kept = heapq.heappop(queue)
        if not mesh.has_edge(gone, kept) or offer != price(gone, kept):
            continue  # outdated; the edge is in the queue again if it still exists
        if not mesh.may_collapse(gone, kept):
            denied.add((gone, kept))
            continue
        mesh.collapse(gone, kept)
        quadrics[kept] += quadrics[gone]
        ring = mesh.neighbours(kept)
        reconsidered = {edge for edge in denied if not ring.isdisjoint(edge)}
        denied -= reconsidered
        for a, b in reconsidered | {(kept, near) for near in ring} | {(near, kept) for near in ring}:
            if mesh.has_edge(a, b):
                heapq.heappush(queue, (price(a, b), a, b))
    vert_ids = np.array(sorted(mesh.vert_ids), dtype=np.int64)
    return Decimated(vert_ids, np.searchsorted(vert_ids, np.array(mesh.faces(), dtype=np.int64)))


class _Mesh:
    """Triangles by vertex, of a mesh that loses vertices."""

    def __init__(self, verts_m: Float[np.ndarray, "verts 3"], faces: Int[np.ndarray, "faces 3"]) -> None:
        self.verts_m = verts_m.astype(np.float64)
        self._faces_of: dict[int, set[Face]] = {vertex: set() for vertex in range(len(verts_m))}
        for a, b, c in faces.tolist():
            for vertex in (a, b, c):
                self._faces_of[vertex].add((a, b, c))

    @property
    def num_verts(self) -> int:
        return len(self._faces_of)

    @property
    def vert_ids(self) -> list[int]:
        return list(self._faces_of)

    def faces(self) -> list[Face]:
        return sorted(set().union(*self._faces_of.values()))

    def neighbours(self, vertex: int) -> set[int]:
        return {other for face in self._faces_of[vertex] for other in face} - {vertex}

    def has_edge(self, a: int, b: int) -> bool:
        return a in self._faces_of and b in self._faces_of and b in self.neighbours(a)

    def on_rim(self, vertex: int) -> bool:
        return len(self.neighbours(vertex)) != len(self._faces_of[vertex])

    def rim_edges(self) -> list[tuple[int, int, Face]]:
        """Return the edges with one face only, in its direction."""
        sides = [(face[k], face[(k + 1) % 3], face) for face in self.faces() for k in range(3)]
        directed = {(a, b) for a, b, _ in sides}
        return [(a, b, face) for a, b, face in sides if (b, a) not in directed]

    def may_collapse(self, gone: int, kept: int) -> bool:
        """Return whether the mesh stays a disc, keeps its rim in place, and does not fold."""
        shared = self._faces_of[gone] & self._faces_of[kept]
        if len(self.neighbours(gone) & self.neighbours(kept)) != len(shared):
            return False
        if self.on_rim(gone) and len(shared) != 1:
            return False
        if self._faces_of[gone] | self._faces_of[kept] == shared:
            return False
        return all(self._stays_upright(face, gone, kept) for face in self._faces_of[gone] - shared)

    def collapse(self, gone: int, kept: int) -> None:
        for face in self._faces_of.pop(gone):
            for vertex in set(face) - {gone}:
                self._faces_of[vertex].discard(face)
            if kept not in face:
                a, b, c = (kept if vertex == gone else vertex for vertex in face)
                for vertex in (a, b, c):
                    self._faces_of[vertex].add((a, b, c))

    def _stays_upright(self, face: Face, gone: int, kept: int) -> bool:
        moved = [kept if vertex == gone else vertex for vertex in face]
        before, _ = _plane(self.verts_m[list(face)])
        after, area = _plane(self.verts_m[moved])
        return area > 0 and bool(before[:3] @ after[:3] > _LARGEST_TURN)


def _quadrics(mesh: _Mesh) -> Float[np.ndarray, "verts 4 4"]:
    """Return each vertex's squared distance to the planes of its faces, weighted by their areas."""
    quadrics = np.zeros((len(mesh.verts_m), 4, 4))
    for face in mesh.faces():
        plane, area = _plane(mesh.verts_m[list(face)])
        quadrics[list(face)] += np.outer(plane, plane) * area / 3
    for a, b, face in mesh.rim_edges():  # a wall through each edge of the rim, square to its face
        start, end = mesh.verts_m[a], mesh.verts_m[b]
        upright = start + _plane(mesh.verts_m[list(face)])[0][:3]
        wall, _ = _plane(np.stack([start, end, upright]))
        quadrics[[a, b]] += np.outer(wall, wall) * RIM_WEIGHT * np.square(end - start).sum()
    return quadrics


def _plane(corners: Float[np.ndarray, "3 3"]) -> tuple[Float[np.ndarray, " 4"], float]:
    """Return the plane (unit normal, offset) through a triangle, and the triangle's area."""
    normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    length = float(np.linalg.norm(normal))
    normal = normal / max(length, 1e-30)
    return np.append(normal, -(normal @ corners[0])), length / 2
