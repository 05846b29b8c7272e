"""Reduce a mesh by edge collapses to given numbers of vertices, over several poses at once.

Quadric error metric (Garland and Heckbert, 1997), averaged over the poses, so that knuckles keep the vertices
that they need when bent. Every new vertex is a fixed mixture of old ones; skinning weights and shapes follow
from that mixture. The order of everything is fixed, so the same input gives the same mesh.
"""

import heapq
from collections import Counter
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float64, Int64

_LENGTH_PENALTY = 0.1
"""Weight of the fourth power of an edge's length, which keeps triangles even where the surface is flat."""

_RIM_WEIGHT = 4.0
"""How much more a plane through a rim edge counts than a face of the same size."""

_LEAST_TURN_COSINE = 0.35
"""No face may turn further than this in any pose."""

_LEAST_ROUNDNESS = 0.18
"""Area of a face relative to an equilateral triangle of the same mean squared edge."""

_EASY_VALENCE = 7
"""Vertices of more faces than this are made reluctantly."""


@dataclass(frozen=True, eq=False)
class Decimation:
    """A smaller mesh, and what its vertices are made of.

    Attributes:
        faces: Triangles of the smaller mesh.
        mixture: Share of each old vertex in each new one; rows sum to 1.
    """

    faces: Int64[np.ndarray, "faces 3"]
    mixture: Float64[np.ndarray, "new old"]


def decimate(
    faces: Int64[np.ndarray, "faces 3"],
    poses_m: Float64[np.ndarray, "poses verts 3"],
    *,
    num_verts: int,
    num_rim_verts: int,
) -> Decimation:
    """Collapse edges until the mesh, which has one open rim, has the given numbers of vertices."""
    mesh = _ShrinkingMesh(faces, poses_m)
    mesh.collapse_rim(num_rim_verts)
    mesh.collapse_interior(num_verts)
    return mesh.result()


@dataclass(frozen=True, order=True, slots=True)
class _Collapse:
    """Merge ``drop`` into ``keep``; versions tell whether either has changed since."""

    cost: float
    keep: int
    drop: int
    versions: tuple[int, int]
    position: float


class _ShrinkingMesh:
    def __init__(
        self, faces: Int64[np.ndarray, "faces 3"], poses_m: Float64[np.ndarray, "poses verts 3"]
    ) -> None:
        num_verts = poses_m.shape[1]
        self.poses = poses_m / np.ptp(poses_m[0], axis=0).max()
        self.faces = {number: tuple(int(v) for v in face) for number, face in enumerate(faces)}
        self.faces_of: list[set[int]] = [set() for _ in range(num_verts)]
        for number, face in self.faces.items():
            for vertex in face:
                self.faces_of[vertex].add(number)
        self.mixtures = [{vertex: 1.0} for vertex in range(num_verts)]
        self.alive = np.ones(num_verts, bool)
        self.version = [0] * num_verts
        self.on_rim = np.zeros(num_verts, bool)
        self.on_rim[[vertex for edge in self.rim_edges() for vertex in edge]] = True
        self.quadrics = self._initial_quadrics()

    def rim_edges(self) -> list[tuple[int, int]]:
        """Return the edges that belong to one face only."""
        counts = Counter(edge for face in self.faces.values() for edge in _edges(face))
        return [edge for edge, count in counts.items() if count == 1]

    def collapse_rim(self, num_verts: int) -> None:
        """Collapse the cheapest edges of the rim until so many are left."""
        while len(edges := self.rim_edges()) > num_verts:
            edges.sort(key=lambda edge: self._cost(*edge)[0])
            choices = ((edge, position) for edge in edges for position in (0.5, 0.0, 1.0))
            edge, position = next(choice for choice in choices if self._is_allowed(*choice[0], choice[1]))
            self._collapse(*edge, position)

    def collapse_interior(self, num_verts: int) -> None:
        """Collapse the cheapest edges off the rim until so many vertices are left."""
        queue: list[_Collapse] = []
        for keep, drop in {edge for face in self.faces.values() for edge in _edges(face)}:
            self._offer(queue, keep, drop)
        count = int(self.alive.sum())
        while count > num_verts:
            best = heapq.heappop(queue)
            keep, drop, position = best.keep, best.drop, best.position
            versions = (self.version[keep], self.version[drop])
            if best.versions != versions or drop not in self._neighbours(keep):
                continue
            if self.on_rim[drop]:
                keep, drop, position = drop, keep, 1 - position
            if self._is_allowed(keep, drop, position):
                self._collapse(keep, drop, position)
                count -= 1
                for neighbour in self._neighbours(keep):
                    self._offer(queue, keep, neighbour)

    def result(self) -> Decimation:
        """Number the vertices that are left in their old order."""
        kept = np.flatnonzero(self.alive)
        number = {int(vertex): row for row, vertex in enumerate(kept)}
        mixture = np.zeros((len(kept), len(self.alive)))
        for row, vertex in enumerate(kept):
            for part, share in self.mixtures[vertex].items():
                mixture[row, part] = share
        return Decimation(np.array([[number[v] for v in face] for face in self.faces.values()]), mixture)

    def _initial_quadrics(self) -> Float64[np.ndarray, "poses verts 4 4"]:
        quadrics = np.zeros((*self.poses.shape[:2], 4, 4))
        rim = set(self.rim_edges())
        for face in self.faces.values():
            corners = self.poses[:, list(face)]
            normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
            length = np.linalg.norm(normal, axis=1, keepdims=True)
            normal = normal / length
            quadric = _plane_quadric(normal, corners[:, 0]) * (length[:, :, None] / 2)
            for vertex in face:
                quadrics[:, vertex] += quadric
            for start, end in zip(face, (*face[1:], face[0]), strict=True):
                if (min(start, end), max(start, end)) in rim:
                    edge = self.poses[:, end] - self.poses[:, start]
                    across = np.cross(edge, normal)
                    across = across / np.linalg.norm(across, axis=1, keepdims=True)
                    squared_length = (edge**2).sum(1)[:, None, None]
                    quadric = _plane_quadric(across, self.poses[:, start]) * squared_length * _RIM_WEIGHT
                    quadrics[:, start] += quadric
                    quadrics[:, end] += quadric
        return quadrics

    def _neighbours(self, vertex: int) -> set[int]:
        return {other for face in self.faces_of[vertex] for other in self.faces[face]} - {vertex}

    def _offer(self, queue: list[_Collapse], one: int, other: int) -> None:
        keep, drop = min(one, other), max(one, other)
        if not (self.on_rim[keep] and self.on_rim[drop]):
            cost, position = self._cost(keep, drop)
            versions = (self.version[keep], self.version[drop])
            heapq.heappush(queue, _Collapse(cost, keep, drop, versions, position))

    def _cost(self, keep: int, drop: int) -> tuple[float, float]:
        """Return the least cost and where on the edge the merged vertex then lies; a rim keeps its shape."""
        positions: tuple[float, ...] = (0.0, 0.5, 1.0)
        if self.on_rim[keep] != self.on_rim[drop]:
            positions = (0.0,) if self.on_rim[keep] else (1.0,)
        quadric = self.quadrics[:, keep] + self.quadrics[:, drop]
        costs = []
        for position in positions:
            point = self._between(keep, drop, position)
            homogeneous = np.concatenate([point, np.ones((len(point), 1))], axis=1)
            costs.append(np.einsum("pi,pij,pj->p", homogeneous, quadric, homogeneous).mean())
        best = int(np.argmin(costs))
        squared_length = ((self.poses[:, keep] - self.poses[:, drop]) ** 2).sum(1).mean()
        excess = max(0, len(self.faces_of[keep]) + len(self.faces_of[drop]) - 4 - _EASY_VALENCE)
        penalty = _LENGTH_PENALTY * squared_length * squared_length * (1 + 2 * excess)
        return float(costs[best] + penalty), positions[best]

    def _between(self, keep: int, drop: int, position: float) -> Float64[np.ndarray, "poses 3"]:
        return (1 - position) * self.poses[:, keep] + position * self.poses[:, drop]

    def _is_allowed(self, keep: int, drop: int, position: float) -> bool:
        """Tell whether the surface stays a surface, without folds, slivers, and vertices of few faces."""
        around_keep, around_drop = self._neighbours(keep), self._neighbours(drop)
        common, shared_faces = around_keep & around_drop, self.faces_of[keep] & self.faces_of[drop]
        both_on_rim = self.on_rim[keep] and self.on_rim[drop]
        if len(common) != len(shared_faces) or len(shared_faces) != (1 if both_on_rim else 2):
            return False
        if not (self.on_rim[keep] or self.on_rim[drop]) and len(around_keep | around_drop) - 2 < 4:
            return False
        for vertex in common:
            if len(self.faces_of[vertex]) <= (2 if self.on_rim[vertex] else 3):
                return False
            if not self.on_rim[vertex] and len(self._neighbours(vertex)) <= 4:
                return False
        point = self._between(keep, drop, position)
        return all(
            self._stays_good(self.faces[face], vertex, point)
            for vertex in (keep, drop)
            for face in self.faces_of[vertex] - shared_faces
        )

    def _stays_good(self, face: tuple[int, ...], moved: int, point: Float64[np.ndarray, "poses 3"]) -> bool:
        before = self.poses[:, list(face)]
        after = before.copy()
        after[:, face.index(moved)] = point
        old_normal, new_normal = (np.cross(c[:, 1] - c[:, 0], c[:, 2] - c[:, 0]) for c in (before, after))
        lengths = np.linalg.norm(old_normal, axis=1) * np.linalg.norm(new_normal, axis=1)
        if ((old_normal * new_normal).sum(1) / np.maximum(lengths, 1e-18)).min() < _LEAST_TURN_COSINE:
            return False
        squared_edges = sum(((after[0, a] - after[0, b]) ** 2).sum() for a, b in combinations(range(3), 2))
        roundness = 2 * np.sqrt(3) * np.linalg.norm(new_normal[0]) / max(squared_edges, 1e-18)
        return bool(roundness >= _LEAST_ROUNDNESS)

    def _collapse(self, keep: int, drop: int, position: float) -> None:
        self.poses[:, keep] = self._between(keep, drop, position)
        self.quadrics[:, keep] += self.quadrics[:, drop]
        merged: dict[int, float] = {}
        for vertex, share in ((keep, 1 - position), (drop, position)):
            for part, part_share in self.mixtures[vertex].items():
                if share > 0:
                    merged[part] = merged.get(part, 0.0) + share * part_share
        self.mixtures[keep] = merged
        for number in sorted(self.faces_of[drop]):
            face = self.faces[number]
            if keep in face:
                for vertex in face:
                    self.faces_of[vertex].discard(number)
                del self.faces[number]
            else:
                self.faces[number] = tuple(keep if vertex == drop else vertex for vertex in face)
                self.faces_of[keep].add(number)
        self.faces_of[drop] = set()
        self.alive[drop] = False
        self.version[keep] += 1
        self.version[drop] += 1


def _edges(face: tuple[int, ...]) -> list[tuple[int, int]]:
    """Return the three edges of a face, the smaller vertex of each first."""
    return [(min(a, b), max(a, b)) for a, b in zip(face, (*face[1:], face[0]), strict=True)]


def _plane_quadric(
    normal: Float64[np.ndarray, "poses 3"], point: Float64[np.ndarray, "poses 3"]
) -> Float64[np.ndarray, "poses 4 4"]:
    """Return the matrices that measure the squared distance from a plane."""
    plane = np.concatenate([normal, -(normal * point).sum(1, keepdims=True)], axis=1)
    return np.einsum("pi,pj->pij", plane, plane)
