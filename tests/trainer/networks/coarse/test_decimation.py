"""Decimation, on the embedded hand and on a sheet where the right answer is plain."""

import hashlib
from collections import Counter

import numpy as np
import pytest

from shared.errors import HandModelError
from tests.support.small_hands import open_hand
from trainer.networks.coarse.decimation import Decimated, decimate


@pytest.fixture(scope="module")
def thinned() -> Decimated:
    return decimate(open_hand().template_m, open_hand().faces, num_verts=195)


def directed_edges(faces: np.ndarray) -> Counter[tuple[int, int]]:
    return Counter(zip(faces.ravel().tolist(), np.roll(faces, -1, axis=1).ravel().tolist(), strict=True))


def sheet(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """A flat rectangle of square cells, two triangles each."""
    places = np.arange((rows + 1) * (columns + 1)).reshape(rows + 1, columns + 1)
    a, b, c, d = (
        part.ravel() for part in (places[:-1, :-1], places[1:, :-1], places[:-1, 1:], places[1:, 1:])
    )
    y, x = np.divmod(places.ravel(), columns + 1)
    verts = np.column_stack([x, y, 0 * x]).astype(np.float64)
    return verts, np.concatenate([np.column_stack([a, b, c]), np.column_stack([b, d, c])])


def tube(rings: int) -> tuple[np.ndarray, np.ndarray]:
    """A triangular tube, open at both ends: nowhere can it get thinner."""
    angles = np.arange(3) * 2 * np.pi / 3
    ring = np.column_stack([np.cos(angles), np.sin(angles), 0 * angles])
    verts = np.concatenate([ring + np.array([0, 0, place]) for place in range(rings)])
    a = np.arange(3 * (rings - 1))
    b = a // 3 * 3 + (a + 1) % 3
    return verts, np.concatenate([np.column_stack([a, b, a + 3]), np.column_stack([b, b + 3, a + 3])])


def area(verts: np.ndarray, faces: np.ndarray) -> float:
    corners = verts[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return float(np.linalg.norm(normals, axis=1).sum() / 2)


def test_as_many_vertices_stay_as_asked_for(thinned: Decimated) -> None:
    assert len(thinned.vert_ids) == 195
    assert (np.diff(thinned.vert_ids) > 0).all()
    assert set(thinned.faces.ravel().tolist()) == set(range(195))


def test_the_hand_stays_an_oriented_disc(thinned: Decimated) -> None:
    edges = directed_edges(thinned.faces)
    assert max(edges.values()) == 1, "two faces run along an edge in the same direction"
    undirected = {frozenset(edge) for edge in edges}
    assert len(thinned.vert_ids) - len(undirected) + len(thinned.faces) == 1


def test_the_rim_of_the_wrist_only_loses_vertices(thinned: Decimated) -> None:
    edges = directed_edges(thinned.faces)
    rim = {int(thinned.vert_ids[a]) for a, b in edges if (b, a) not in edges}
    assert 3 <= len(rim) < len(open_hand().wrist_ring)
    assert rim < set(open_hand().wrist_ring)


def test_faces_still_look_outwards(thinned: Decimated) -> None:
    """The volume between the faces and any one point has the sign of the original's."""
    verts_m = open_hand().template_m.astype(np.float64) - open_hand().template_m.mean(0)
    before = np.linalg.det(verts_m[open_hand().faces]).sum()
    after = np.linalg.det(verts_m[thinned.vert_ids][thinned.faces]).sum()
    assert after == pytest.approx(before, rel=0.1)


def test_the_order_of_the_faces_does_not_matter(thinned: Decimated) -> None:
    shuffled = np.random.default_rng(0).permutation(open_hand().faces)
    again = decimate(open_hand().template_m, shuffled, num_verts=195)
    assert np.array_equal(again.vert_ids, thinned.vert_ids)


def test_the_embedded_hand_always_keeps_the_same_vertices(thinned: Decimated) -> None:
    """Tokens of a trained network stand for them; if they change, its checkpoints become useless."""
    fingerprint = hashlib.sha256(thinned.vert_ids.tobytes()).hexdigest()
    assert fingerprint.startswith("cc43e63cbe03")


def test_a_flat_sheet_keeps_its_outline() -> None:
    verts, faces = sheet(8, 8)
    thin = decimate(verts, faces, num_verts=12)
    assert area(verts[thin.vert_ids], thin.faces) == pytest.approx(64)
    corners = {0, 8, 72, 80}
    assert corners <= set(thin.vert_ids.tolist())


def test_a_tube_gets_shorter_but_is_never_pinched() -> None:
    """With two rings of three vertices left, every further collapse would join what must stay apart."""
    verts, faces = tube(10)
    thin = decimate(verts, faces, num_verts=6)
    assert len(thin.faces) == 6
    rim = [edge for edge in directed_edges(thin.faces) if edge[::-1] not in directed_edges(thin.faces)]
    assert len(rim) == 6
    with pytest.raises(HandModelError, match="found no edge to collapse at 6"):
        decimate(verts, faces, num_verts=5)


def test_a_mesh_that_cannot_shrink_further_is_an_error() -> None:
    triangle = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    with pytest.raises(HandModelError, match="expected to reach 2 vertices"):
        decimate(triangle, np.array([[0, 1, 2]]), num_verts=2)
