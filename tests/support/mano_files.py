"""Hand model files for tests: the open hand, written exactly as MANO's own pickle is."""

import io
import pickle
import struct
from pathlib import Path
from types import FunctionType
from typing import Any, ClassVar

import numpy as np
from scipy.sparse import csc_matrix

from shared.hand_model.left_hand import mirrored_fields
from shared.hand_model.loading import EMBEDDED_MODEL


class Ch:
    """Has the attributes of a pickled ``chumpy.ch.Ch``."""

    def __init__(self, x: Any) -> None:
        self.x = x
        self._dirty_vars = {"x"}
        self._itr = None
        self._depends_on_deps: dict[str, Any] = {}
        self._make_dense = False


class Select:
    """Has the attributes of a pickled ``chumpy.reordering.Select``."""

    def __init__(self, a: Ch, idxs: np.ndarray, preferred_shape: tuple[int, ...]) -> None:
        self.a = a
        self.idxs = idxs
        self.preferred_shape = preferred_shape
        self._dirty_vars = {"a", "idxs", "preferred_shape"}
        self._itr = None


class OldCsc:
    """Has the attributes of a ``csc_matrix`` of the SciPy of 2017."""

    def __init__(self, matrix: Any) -> None:
        self._shape = tuple(int(n) for n in matrix.shape)
        self.maxprint = 50
        self.indices, self.indptr, self.data = matrix.indices, matrix.indptr, matrix.data


def _reconstruct() -> None:
    """Stands for NumPy's function of this name, which has moved since."""


_PYTHON_2_NAMES: dict[Any, tuple[str, str]] = {
    Ch: ("chumpy.ch", "Ch"),
    Select: ("chumpy.reordering", "Select"),
    OldCsc: ("scipy.sparse.csc", "csc_matrix"),
    _reconstruct: ("numpy.core.multiarray", "_reconstruct"),
}


_PurePythonPickler: Any = pickle._Pickler  # the one in C cannot write Python 2's strings


class Python2Pickler(_PurePythonPickler):  # type: ignore[misc]
    """Writes protocol 2 as Python 2 and the libraries of 2017 did: byte strings, and the old module paths."""

    dispatch: ClassVar = dict(_PurePythonPickler.dispatch)

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=2)

    def reducer_override(self, value: Any) -> Any:
        if not isinstance(value, np.ndarray):
            return NotImplemented
        raw = value.tolist() if value.dtype.hasobject else value.tobytes()
        return _reconstruct, (np.ndarray, (0,), b"b"), (1, value.shape, value.dtype, False, raw)

    def save_global(self, obj: Any, name: str | None = None) -> None:
        if obj not in _PYTHON_2_NAMES:
            super().save_global(obj, name)
            return
        module, old_name = _PYTHON_2_NAMES[obj]
        self.write(pickle.GLOBAL + f"{module}\n{old_name}\n".encode())
        self.memoize(obj)

    def save_byte_string(self, value: bytes | str) -> None:
        raw = value.encode() if isinstance(value, str) else value
        self.write(pickle.BINSTRING + struct.pack("<i", len(raw)) + raw)
        self.memoize(value)

    dispatch[bytes] = save_byte_string
    dispatch[str] = save_byte_string
    dispatch[FunctionType] = save_global


def python_2_pickle(content: Any) -> bytes:
    file = io.BytesIO()
    Python2Pickler(file).dump(content)
    return file.getvalue()


def open_hand_fields() -> dict[str, np.ndarray]:
    """The arrays of the embedded model."""
    with np.load(EMBEDDED_MODEL) as archive:
        return {name: archive[name] for name in archive}


def mano_content(**changes: Any) -> dict[str, Any]:
    """What MANO_RIGHT.pkl holds, types included, with the open hand's numbers."""
    fields = open_hand_fields()
    shapes = fields["shapedirs"].astype(np.float64)
    content = {
        "hands_components": fields["hands_components"].astype(np.float64),
        "f": fields["f"].astype(np.uint32),
        "J_regressor": OldCsc(csc_matrix(fields["J_regressor"].astype(np.float64))),
        "kintree_table": fields["kintree_table"].astype(np.int64),
        "J": (fields["J_regressor"] @ fields["v_template"]).astype(np.float64),
        "weights_prior": fields["weights"].astype(np.float64),
        "shapedirs": Select(Ch(shapes), np.arange(shapes.size), shapes.shape),
        "hands_mean": fields["hands_mean"].astype(np.float64),
        "v_template": fields["v_template"].astype(np.float64),
        "hands_coeffs": np.eye(45),
        "weights": fields["weights"].astype(np.float64),
        "posedirs": fields["posedirs"].astype(np.float64),
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }
    return {**content, **changes}


def write_mano_pickle(path: Path, **changes: Any) -> Path:
    """Write a file that differs from MANO's own in its numbers only, and in the given fields."""
    path.write_bytes(python_2_pickle(mano_content(**changes)))
    return path


def write_left_mano_pickle(path: Path, *, shapes_as_published: bool = True, **right: Any) -> Path:
    """Write the mirrored hand as MANO_LEFT.pkl is: its shapes have, by mistake, the right hand's x.

    What is given are fields of the right hand.
    """
    content = mano_content(**right)
    fields = {name: np.asarray(value) for name, value in content.items() if name in _TURNED}
    shapes = open_hand_fields()["shapedirs"].astype(np.float64)
    left: dict[str, Any] = mirrored_fields({**fields, "shapedirs": shapes})
    if shapes_as_published:
        left["shapedirs"][:, 0] *= -1
    left["f"] = left["f"].astype(np.uint32)
    left["shapedirs"] = Select(Ch(left["shapedirs"]), np.arange(shapes.size), shapes.shape)
    return write_mano_pickle(path, **{**right, **left})


_TURNED = ("v_template", "f", "posedirs", "hands_mean", "hands_components")
