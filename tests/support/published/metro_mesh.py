"""Files in the form of METRO's ``mano_downsampling.npz``, with other numbers."""

from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import coo_matrix, csc_matrix, csr_matrix

from shared.hand_model import HandModel
from tests.support.small_hands import open_hand_mesh

UP = np.arange(27.0).reshape(9, 3)
UP_MATRIX = csr_matrix(UP)


def write_matrices(path: Path, *, down: list[Any], adjacency: list[Any], up: Any = UP_MATRIX) -> Path:
    """As METRO's file was written: lists of matrices, which NumPy turns into pickled arrays of objects."""
    given = {"D": down, "A": adjacency, "U": [up]}
    files = {name: np.empty(len(matrices), dtype=object) for name, matrices in given.items()}
    for name, matrices in given.items():
        files[name][:] = matrices
    np.savez(path, D=files["D"], A=files["A"], U=files["U"])
    return path


def write_own_mesh(path: Path, *, model: HandModel, up: np.ndarray, order: np.ndarray) -> Path:
    """A published mesh of a hand model: its edges, some of its vertices, and some matrix between both."""
    vert_ids = open_hand_mesh().vert_ids[order]
    edges = np.zeros((model.num_verts, model.num_verts))
    for start, end in ((0, 1), (1, 2), (2, 0)):
        edges[model.faces[:, start], model.faces[:, end]] = edges[
            model.faces[:, end], model.faces[:, start]
        ] = 1
    neighbours = open_hand_mesh().neighbours[np.ix_(order, order)]
    return write_matrices(
        path,
        down=[csc_matrix(np.eye(model.num_verts)[vert_ids])],
        adjacency=[csc_matrix(edges), csc_matrix(neighbours.astype(float))],
        up=coo_matrix(up),
    )
