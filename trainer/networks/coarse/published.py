"""METRO's ``mano_downsampling.npz``: which vertices of MANO released transformers predict, and their order.

The file holds pickled SciPy matrices. Only names of NumPy and SciPy that matrices need may occur in it; every
other name is refused before it is looked up. The rows of its up-sampling matrix do not sum to 1: it bends
hands that are not at the origin, and leaves 0.58 mm of MANO's own template on average, 11.3 mm at the rim.
Released networks were trained with it, and nothing else gives their meshes.
"""

import io
import math
import pickle
import zipfile
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64
from numpy.lib import format as npy
from scipy.sparse import coo_matrix, csc_matrix, csr_matrix

from shared.archives import DAMAGED_ARCHIVE, in_one_line, read_member
from shared.errors import HandModelError
from shared.hand_model import HandModel
from shared.hand_model.restricted_pickle import load_restricted

_DAMAGED: Final = (pickle.UnpicklingError, *DAMAGED_ARCHIVE)
"""What the libraries raise about missing, damaged or hostile files."""
_MOST_NUMBERS: Final = 1 << 24
"""Of a matrix; those of MANO have 778 x 195. A larger one would only be found out when memory is gone."""

_OWN_EDGES = 0.95
"""Share of a hand model's edges that its published mesh has; that of another hand has next to none."""


class PublishedMesh(NamedTuple):
    """What METRO's file says.

    Attributes:
        vert_ids: Vertices of the full mesh, in the order of the tokens.
        neighbours: True where two of them share an edge, and on the diagonal.
        upsampling: All vertices from the chosen ones.
        all_neighbours: True where two vertices of the full mesh share an edge.
    """

    vert_ids: Int64[np.ndarray, " coarse"]
    neighbours: Bool[np.ndarray, "coarse coarse"]
    upsampling: Float32[np.ndarray, "verts coarse"]
    all_neighbours: Bool[np.ndarray, "verts verts"]

    def require_own(self, model: HandModel) -> None:
        """Make sure that this is a mesh of a hand model: numbers of vertices mean nothing elsewhere.

        Raises:
            HandModelError: The hand model's triangles have other edges.
        """
        starts, ends = model.faces.ravel(), np.roll(model.faces, -1, axis=1).ravel()
        has_its_size = len(self.all_neighbours) == model.num_verts
        known = self.all_neighbours[starts, ends].mean() if has_its_size else 0.0
        if known < _OWN_EDGES:
            raise HandModelError(
                (
                    f"model.coarse_mesh: expected the mesh of {model.name}, which has {model.num_verts} "
                    f"vertices, found one of {len(self.all_neighbours)} with {known:.0%} of its edges."
                ),
                remedy="Give hand_model (--hand-model) the path of MANO_RIGHT.pkl, or leave coarse_mesh out.",
            )


def read_published_mesh(path: Path) -> PublishedMesh:
    """Read METRO's file.

    Raises:
        HandModelError: The file is missing, damaged, unsafe, or does not choose vertices.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            choice = _dense(_unpickle(read_member(archive, "D.npy"))[0])
            edges, adjacency = (
                _dense(matrix) != 0 for matrix in _unpickle(read_member(archive, "A.npy"))[:2]
            )
            upsampling = _dense(_unpickle(read_member(archive, "U.npy"))[0]).astype(np.float32)
        vert_ids = choice.argmax(axis=1)
        one_per_row = (np.count_nonzero(choice, axis=1) == 1).all()
        if not one_per_row or len(np.unique(vert_ids)) < len(choice) or len(adjacency) != len(choice):
            raise ValueError("matrices that do not choose vertices")
        if upsampling.shape != choice.shape[::-1] or not np.isfinite(upsampling).all():
            raise ValueError("an up-sampling matrix that does not belong to them")
        if edges.shape != (choice.shape[1], choice.shape[1]):
            raise ValueError("edges of another mesh")
    except _DAMAGED as error:
        raise HandModelError(
            f"{path}: expected METRO's mano_downsampling.npz, found {in_one_line(error)}.",
            remedy=(
                "Download it again, or leave model.coarse_mesh out to make a coarse mesh from the hand model."
            ),
        ) from error
    neighbours = adjacency | adjacency.T | np.eye(len(vert_ids), dtype=np.bool_)
    return PublishedMesh(vert_ids.astype(np.int64), neighbours, upsampling, edges | edges.T)


class _Sparse:
    """Remembers a sparse matrix without building it: the layout changes between releases of SciPy."""

    state: dict[str, Any]

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.state = state


class _ByRow(_Sparse): ...


class _ByColumn(_Sparse): ...


class _ByEntry(_Sparse): ...


def _empty_array(_kind: object, shape: tuple[int, ...], code: object) -> np.ndarray:
    _require_modest(shape)
    return np.ndarray.__new__(np.ndarray, shape, code if isinstance(code, str) else "b")


def _require_modest(shape: tuple[int, ...]) -> None:
    if not 0 <= math.prod(shape) <= _MOST_NUMBERS:
        raise ValueError(f"a matrix of {' x '.join(map(str, shape))}")


def _to_bytes(text: str, _encoding: str) -> bytes:
    return text.encode("latin1")


_PERMITTED: dict[str, Any] = {
    "numpy.ndarray": np.ndarray,
    "numpy.dtype": np.dtype,
    "numpy.core.multiarray._reconstruct": _empty_array,
    "numpy._core.multiarray._reconstruct": _empty_array,
    "_codecs.encode": _to_bytes,
    "scipy.sparse.csr.csr_matrix": _ByRow,
    "scipy.sparse._csr.csr_matrix": _ByRow,
    "scipy.sparse.csc.csc_matrix": _ByColumn,
    "scipy.sparse._csc.csc_matrix": _ByColumn,
    "scipy.sparse.coo.coo_matrix": _ByEntry,
    "scipy.sparse._coo.coo_matrix": _ByEntry,
}


def _unpickle(member: bytes) -> list[_Sparse]:
    """Read an array of objects as `numpy.save` writes it: a header, then a pickle."""
    file = io.BytesIO(member)
    version = npy.read_magic(file)
    header = npy.read_array_header_1_0(file) if version == (1, 0) else npy.read_array_header_2_0(file)
    if not header[2].hasobject:
        raise ValueError("plain numbers instead of sparse matrices")
    return list(load_restricted(member[file.tell() :], _PERMITTED))


def _dense(matrix: _Sparse) -> Float64[np.ndarray, "rows columns"]:
    state, shape = matrix.state, tuple(matrix.state["_shape"])
    _require_modest(shape)
    by_line: csr_matrix | csc_matrix
    match matrix:
        case _ByEntry():
            coordinates = state["coords"] if "coords" in state else (state["row"], state["col"])
            return coo_matrix((state["data"], tuple(coordinates)), shape=shape).toarray()
        case _ByRow():
            by_line = csr_matrix((state["data"], state["indices"], state["indptr"]), shape=shape)
        case _:
            by_line = csc_matrix((state["data"], state["indices"], state["indptr"]), shape=shape)
    by_line.check_format(full_check=True)  # SciPy writes wherever an index says
    return by_line.toarray()
