"""METRO's file of pickled matrices, in the forms that SciPy has had, and in hostile ones."""

import io
import os
import pickle
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import coo_matrix, csc_matrix, csr_matrix

from shared.errors import HandModelError
from tests.support.small_hands import open_hand, open_hand_mesh
from trainer.networks.coarse.mesh import coarse_mesh
from trainer.networks.coarse.published import read_published_mesh

VERT_IDS = [5, 2, 7]
CHOICE = np.eye(9)[VERT_IDS]
ADJACENCY = np.array([[0, 1.0, 0], [1, 0, 1], [0, 1, 0]])


def write(path: Path, *, down: list[Any], adjacency: list[Any]) -> Path:
    """As METRO's file was written: lists of matrices, which NumPy turns into pickled arrays of objects."""
    choices, neighbours = np.empty(len(down), dtype=object), np.empty(len(adjacency), dtype=object)
    choices[:], neighbours[:] = down, adjacency
    np.savez(path, D=choices, A=neighbours)
    return path


@pytest.mark.parametrize("layout", [coo_matrix, csc_matrix, csr_matrix])
def test_vertices_come_in_the_order_of_the_tokens(tmp_path: Path, layout: type) -> None:
    path = write(tmp_path / "m.npz", down=[layout(CHOICE)], adjacency=[layout(np.eye(9)), layout(ADJACENCY)])
    vert_ids, neighbours = read_published_mesh(path)
    assert vert_ids.tolist() == VERT_IDS
    assert np.array_equal(neighbours, (ADJACENCY + np.eye(3)) > 0)


def test_matrices_of_older_scipy_are_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before 1.8 the modules had no underscore; before 1.11 entries were stored as row and col."""
    new = coo_matrix(CHOICE)
    state = {"_shape": new.shape, "data": new.data, "row": new.row, "col": new.col}
    monkeypatch.setattr(coo_matrix, "__getstate__", lambda _: state, raising=False)
    monkeypatch.setattr(coo_matrix, "__module__", "scipy.sparse.coo")
    monkeypatch.setitem(sys.modules, "scipy.sparse.coo", sys.modules["scipy.sparse._coo"])
    path = write(tmp_path / "m.npz", down=[new], adjacency=[csr_matrix(np.eye(9)), csr_matrix(ADJACENCY)])
    assert b"scipy.sparse.coo" in path.read_bytes()
    assert b"coords" not in path.read_bytes()
    assert read_published_mesh(path).vert_ids.tolist() == VERT_IDS


def test_nothing_in_the_file_is_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.system, ("touch " + str(tmp_path / "harm"),)

    path = write(tmp_path / "m.npz", down=[Evil()], adjacency=[csr_matrix(np.eye(9)), csr_matrix(ADJACENCY)])
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
    path = write(
        tmp_path / "m.npz", down=[csr_matrix(down)], adjacency=[csr_matrix(np.eye(9)), csr_matrix(ADJACENCY)]
    )
    with pytest.raises(HandModelError, match="do not choose vertices"):
        read_published_mesh(path)


@pytest.mark.parametrize("layout", [csc_matrix, csr_matrix])
@pytest.mark.parametrize("index", [9, 2_000_000_000, -1])
def test_a_sparse_matrix_cannot_write_beside_itself(tmp_path: Path, layout: type, index: int) -> None:
    matrix = layout(CHOICE)
    matrix.indices[-1] = index
    path = write(tmp_path / "m.npz", down=[matrix], adjacency=[csr_matrix(np.eye(9)), csr_matrix(ADJACENCY)])
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


def test_a_coarse_mesh_can_be_made_from_published_vertices(tmp_path: Path) -> None:
    """In the file's order, with an up-sampling matrix of our own."""
    order = np.random.default_rng(0).permutation(195)
    vert_ids = open_hand_mesh().vert_ids[order]
    neighbours = open_hand_mesh().neighbours[np.ix_(order, order)]
    path = write(
        tmp_path / "m.npz",
        down=[csc_matrix(np.eye(778)[vert_ids])],
        adjacency=[csc_matrix(np.eye(778)), csc_matrix(neighbours.astype(float))],
    )
    mesh = coarse_mesh(open_hand(), published=path)
    assert np.array_equal(mesh.vert_ids, vert_ids)
    assert np.array_equal(mesh.neighbours, neighbours)
    np.testing.assert_allclose(mesh.upsampling, open_hand_mesh().upsampling[:, order], atol=1e-5)


def test_vertices_of_another_hand_model_are_refused(tmp_path: Path) -> None:
    choice = np.zeros((3, 900))
    choice[[0, 1, 2], [1, 2, 899]] = 1
    path = write(
        tmp_path / "m.npz",
        down=[csr_matrix(choice)],
        adjacency=[csr_matrix(np.eye(3)), csr_matrix(ADJACENCY)],
    )
    with pytest.raises(HandModelError, match="found number 899"):
        coarse_mesh(open_hand(), published=path)
