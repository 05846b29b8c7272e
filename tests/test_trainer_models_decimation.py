"""Decimation, on the embedded hand and on a sheet where the right answer is plain."""

import hashlib
from collections import Counter

import numpy as np
import pytest
from small_hands import open_hand

from shared.errors import HandModelError
from trainer.models.decimation import Decimated, decimate


@pytest.fixture(scope="module")
def thinned() -> Decimated:
    return decimate(open_hand().template_m, open_hand().faces, num_verts=195)


def directed_edges(faces: np.ndarray) -> Counter[tuple[int, int]]:
    return Counter(zip(faces.ravel().tolist(), np.roll(faces, -1, axis=1).ravel().tolist(), strict=True))


def sheet(cells: int) -> tuple[np.ndarray, np.ndarray]:
    """A flat square of side 1, two triangles per cell."""
    places = np.arange((cells + 1) ** 2).reshape(cells + 1, cells + 1)
    a, b, c, d = (
        part.ravel() for part in (places[:-1, :-1], places[1:, :-1], places[:-1, 1:], places[1:, 1:])
    )
    rows, columns = np.divmod(np.arange((cells + 1) ** 2), cells + 1)
    verts = np.column_stack([columns, rows, 0 * rows]) / cells
    return verts, np.concatenate([np.column_stack([a, b, c]), np.column_stack([b, d, c])])


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
    verts, faces = sheet(8)
    thin = decimate(verts, faces, num_verts=12)
    assert area(verts[thin.vert_ids], thin.faces) == pytest.approx(1.0)
    corners = {0, 8, 72, 80}
    assert corners <= set(thin.vert_ids.tolist())


def test_a_mesh_that_cannot_shrink_further_is_an_error() -> None:
    triangle = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    with pytest.raises(HandModelError, match="expected to reach 2 vertices"):
        decimate(triangle, np.array([[0, 1, 2]]), num_verts=2)
