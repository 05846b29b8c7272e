"""METRO's file of pickled matrices, in the forms that SciPy has had, and in hostile ones."""

import io
import os
import pickle
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import coo_matrix, csc_matrix, csr_matrix

from shared.errors import HandModelError
from tests.support.published.metro_mesh import UP, write_matrices, write_own_mesh
from tests.support.small_hands import open_hand, open_hand_mesh
from trainer.networks.coarse.mesh import coarse_mesh
from trainer.networks.coarse.published import read_published_mesh

VERT_IDS = [5, 2, 7]
CHOICE = np.eye(9)[VERT_IDS]
ADJACENCY = np.array([[0, 1.0, 0], [1, 0, 1], [0, 1, 0]])


@pytest.mark.parametrize("layout", [coo_matrix, csc_matrix, csr_matrix])
def test_vertices_come_in_the_order_of_the_tokens(tmp_path: Path, layout: type) -> None:
    path = write_matrices(
        tmp_path / "m.npz", down=[layout(CHOICE)], adjacency=[layout(np.eye(9)), layout(ADJACENCY)]
    )
    found = read_published_mesh(path)
    assert found.vert_ids.tolist() == VERT_IDS
    assert np.array_equal(found.neighbours, (ADJACENCY + np.eye(3)) > 0)
    assert np.array_equal(found.upsampling, UP)


def test_matrices_of_older_scipy_are_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before 1.8 the modules had no underscore; before 1.11 entries were stored as row and col."""
    new = coo_matrix(CHOICE)
    state = {"_shape": new.shape, "data": new.data, "row": new.row, "col": new.col}
    monkeypatch.setattr(coo_matrix, "__getstate__", lambda _: state, raising=False)
    monkeypatch.setattr(coo_matrix, "__module__", "scipy.sparse.coo")
    monkeypatch.setitem(sys.modules, "scipy.sparse.coo", sys.modules["scipy.sparse._coo"])
    path = write_matrices(
        tmp_path / "m.npz", down=[new], adjacency=[csr_matrix(np.eye(9)), csr_matrix(ADJACENCY)]
    )
    assert b"scipy.sparse.coo" in path.read_bytes()
    assert b"coords" not in path.read_bytes()
    assert read_published_mesh(path).vert_ids.tolist() == VERT_IDS


def test_nothing_in_the_file_is_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.system, ("touch " + str(tmp_path / "harm"),)

    path = write_matrices(
        tmp_path / "m.npz", down=[Evil()], adjacency=[csr_matrix(np.eye(9)), csr_matrix(ADJACENCY)]
    )
    with pytest.raises(HandModelError, match=r"system, which was not run"):
        read_published_mesh(path)
    assert not (tmp_path / "harm").exists()


def test_a_few_bytes_cannot_ask_for_all_memory(tmp_path: Path) -> None:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|O", "fortran_order": False, "shape": (1,)})
    path = tmp_path / "m.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("D.npy", file.getvalue() + b"\x80\x02]r\x00\x00\x00\x3a.")
    with pytest.raises(HandModelError, match="object number 973078528 in "):
        read_published_mesh(path)


@pytest.mark.parametrize(
    "down",
    [np.eye(9)[[1, 1, 2]], np.eye(9)[VERT_IDS] + np.eye(9)[[0, 1, 2]], np.zeros((3, 9)), np.eye(9)[:2]],
)
def test_averages_of_vertices_are_refused(tmp_path: Path, down: np.ndarray) -> None:
    """A label of the coarse mesh must be a label of some vertices."""
    path = write_matrices(
        tmp_path / "m.npz", down=[csr_matrix(down)], adjacency=[csr_matrix(np.eye(9)), csr_matrix(ADJACENCY)]
    )
    with pytest.raises(HandModelError, match="do not choose vertices"):
        read_published_mesh(path)


@pytest.mark.parametrize("layout", [csc_matrix, csr_matrix])
@pytest.mark.parametrize("index", [9, 2_000_000_000, -1])
def test_a_sparse_matrix_cannot_write_beside_itself(tmp_path: Path, layout: type, index: int) -> None:
    matrix = layout(CHOICE)
    matrix.indices[-1] = index
    path = write_matrices(
        tmp_path / "m.npz", down=[matrix], adjacency=[csr_matrix(np.eye(9)), csr_matrix(ADJACENCY)]
    )
    with pytest.raises(HandModelError, match="expected METRO's mano_downsampling"):
        read_published_mesh(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half", pickle.dumps([1, 2])])
def test_a_damaged_file_is_a_clear_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "m.npz"
    path.write_bytes(content)
    with pytest.raises(HandModelError, match="expected METRO's mano_downsampling"):
        read_published_mesh(path)


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(HandModelError, match="No such file"):
        read_published_mesh(tmp_path / "m.npz")


def test_the_published_matrix_is_used_as_it_is(tmp_path: Path) -> None:
    """In the file's order, and though its rows do not sum to 1: fine vertices are then the network's own."""
    order = np.random.default_rng(0).permutation(195)
    up = np.random.default_rng(1).random((778, 195)).astype(np.float32)
    path = write_own_mesh(tmp_path / "m.npz", model=open_hand(), up=up, order=order)
    mesh = coarse_mesh(open_hand(), published=path, cache_dir=tmp_path)
    assert np.array_equal(mesh.vert_ids, open_hand_mesh().vert_ids[order])
    assert np.array_equal(mesh.neighbours, open_hand_mesh().neighbours[np.ix_(order, order)])
    assert np.array_equal(mesh.upsampling, up)
    again = coarse_mesh(open_hand(), published=path, cache_dir=tmp_path)
    assert np.array_equal(again.upsampling, up)
    other = write_own_mesh(tmp_path / "o.npz", model=open_hand(), up=2 * up, order=order)
    assert np.array_equal(coarse_mesh(open_hand(), published=other, cache_dir=tmp_path).upsampling, 2 * up)


def test_the_mesh_of_another_hand_with_as_many_vertices_is_refused(tmp_path: Path) -> None:
    """MANO and the open hand both have 778: only edges tell them apart."""
    shuffled = np.random.default_rng(0).permutation(778).astype(np.int32)
    other = replace(open_hand(), faces=shuffled[open_hand().faces])
    path = write_own_mesh(tmp_path / "m.npz", model=other, up=np.ones((778, 195)), order=np.arange(195))
    with pytest.raises(HandModelError, match=r"found one of 778 with \d% of its edges.*MANO_RIGHT"):
        coarse_mesh(open_hand(), published=path)


def test_the_mesh_of_a_hand_with_other_vertices_is_refused(tmp_path: Path) -> None:
    path = write_matrices(
        tmp_path / "m.npz",
        down=[csr_matrix(CHOICE)],
        adjacency=[csr_matrix(np.eye(9)), csr_matrix(ADJACENCY)],
    )
    with pytest.raises(HandModelError, match="found one of 9 with 0% of its edges"):
        coarse_mesh(open_hand(), published=path)


@pytest.mark.parametrize("up", [np.ones((9, 2)), np.full((9, 3), np.nan)])
def test_a_matrix_that_does_not_belong_to_the_vertices_is_refused(tmp_path: Path, up: np.ndarray) -> None:
    path = write_matrices(
        tmp_path / "m.npz",
        down=[csr_matrix(CHOICE)],
        adjacency=[csr_matrix(np.eye(9)), csr_matrix(ADJACENCY)],
        up=csr_matrix(up),
    )
    with pytest.raises(HandModelError, match="up-sampling matrix that does not belong"):
        read_published_mesh(path)
