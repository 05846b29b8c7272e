"""Read MANO's own pickle, and others of named arrays, without running anything in them and without chumpy.

``MANO_RIGHT.pkl`` was written by Python 2 (protocol 2) and holds SciPy sparse matrices and chumpy objects.
A pickle names the functions that rebuild its objects. Here every permitted name gives a placeholder of
ours that only remembers its arguments, and every other name is refused before it is looked up. Arrays are
made from the placeholders afterwards, so no code chosen by the file ever runs.
"""

import math
import pickle
import struct
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from shared.errors import HandModelError, MeshcycleError
from shared.hand_model.restricted_pickle import RefusedNameError, load_restricted

_NUMBERS = "biuf"
"""Kinds of dtype that are plain numbers; object arrays are not."""

_MOST_NUMBERS: Final = 1 << 24
"""Of a sparse matrix, most of whose numbers are not in the file; MANO's have 16 x 778."""

_DAMAGED = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    ImportError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
)
"""What pickle, NumPy, and SciPy raise about damaged or hostile data."""


class _Placeholder:
    """Remembers how an object would have been built, instead of building it."""

    args: tuple[Any, ...]
    state: Any

    def __new__(cls, *args: object) -> "_Placeholder":
        placeholder = super().__new__(cls)
        placeholder.args = args
        placeholder.state = None
        return placeholder

    def __setstate__(self, state: object) -> None:
        self.state = state


class _Type(_Placeholder):
    """A class that is only mentioned, such as ``numpy.ndarray`` in the recipe of an array."""


class _Dtype(_Placeholder):
    """``numpy.dtype(code, ...)`` with state (version, byte order, ...)."""


class _Array(_Placeholder):
    """``numpy.ndarray`` with state (version, shape, dtype, is_fortran, bytes)."""


class _Scalar(_Placeholder):
    """A number of NumPy's own, beside the arrays."""


class _Text(_Placeholder):
    """``codecs.encode(text, "latin1")``: how Python 3 writes bytes in protocol 2."""


class _SparseColumns(_Placeholder):
    """``scipy.sparse.csc_matrix``; its state is a dictionary."""


class _Chumpy(_Placeholder):
    """``chumpy.Ch``: an array ``x`` with book-keeping for derivatives."""


class _ChumpySelect(_Placeholder):
    """Chumpy's indexing: elements ``idxs`` of the flattened ``a``, in ``preferred_shape``."""


_PERMITTED: Final[Mapping[str, type]] = {
    "__builtin__.set": set,
    "builtins.set": set,
    "_codecs.encode": _Text,
    "numpy.ndarray": _Type,
    "numpy.dtype": _Dtype,
    "numpy.core.multiarray._reconstruct": _Array,
    "numpy._core.multiarray._reconstruct": _Array,
    "scipy.sparse.csc.csc_matrix": _SparseColumns,
    "scipy.sparse._csc.csc_matrix": _SparseColumns,
    "chumpy.ch.Ch": _Chumpy,
    "chumpy.reordering.Select": _ChumpySelect,
}


_SCALARS: Final[Mapping[str, type]] = {
    "numpy.core.multiarray.scalar": _Scalar,
    "numpy._core.multiarray.scalar": _Scalar,
}
"""What other pickles have, besides."""


def read_mano_pickle(data: bytes, *, where: str, fields: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return those of the named fields that MANO's pickle has; see `read_pickled_arrays`."""
    return read_pickled_arrays(
        data,
        where=where,
        fields=fields,
        expected="MANO's",
        error_class=HandModelError,
        advice="Download the model again from its official site.",
        permitted=_PERMITTED,
    )


def read_pickled_arrays(
    data: bytes,
    *,
    where: str,
    fields: tuple[str, ...],
    expected: str,
    error_class: type[MeshcycleError],
    advice: str,
    permitted: Mapping[str, type] = {**_PERMITTED, **_SCALARS},
) -> dict[str, np.ndarray]:
    """Return those of the named fields that a pickled dictionary has, as plain arrays of numbers.

    Args:
        data: The whole file.
        where: Its name, for messages.
        fields: Top-level keys to convert; others are ignored, and so are those that hold None.
        expected: Whose pickle it should be, for messages.
        error_class: What to raise.
        advice: What to do about a damaged file.
        permitted: Placeholders for the names that the file may use.

    Raises:
        MeshcycleError: The pickle is damaged, no dictionary, or names a class that is not permitted.
    """
    try:
        content = load_restricted(data, permitted)
        if not isinstance(content, dict):
            raise TypeError(f"a dictionary was expected, not {type(content).__name__}")
        return {field: _plain(content[field]) for field in fields if content.get(field) is not None}
    except RefusedNameError as refused:
        raise error_class(
            f"{where}: expected only the classes of {expected} own pickle, found {refused}.",
            remedy=advice,
        ) from refused
    except _DAMAGED as error:
        raise error_class(
            f"{where}: expected {expected} pickle, found something unreadable ({error}).",
            remedy=advice,
        ) from error


def _plain(value: object) -> np.ndarray:
    """Turn a placeholder into the array that it describes."""
    match value:
        case _Array(state=(_, tuple(shape), _Dtype() as dtype, fortran, raw)):
            flat = np.frombuffer(_raw_bytes(raw), dtype=_number_type(dtype))
            return flat.reshape(shape, order="F" if fortran else "C")
        case _SparseColumns(state=dict(state)):
            from scipy.sparse import csc_matrix  # only a pickle needs SciPy

            data, indices, indptr = (_plain(state[name]) for name in ("data", "indices", "indptr"))
            if not 0 <= math.prod(state["_shape"]) <= _MOST_NUMBERS:
                raise ValueError(f"a matrix of {state['_shape']} numbers")
            matrix = csc_matrix((data, indices, indptr), shape=state["_shape"])
            matrix.check_format(full_check=True)  # SciPy writes wherever an index says
            return matrix.toarray()
        case _Chumpy(state=dict(state)):
            return _plain(state["x"])
        case _ChumpySelect(state=dict(state)):
            chosen: np.ndarray = _plain(state["a"]).ravel()[_plain(state["idxs"])]
            return chosen.reshape(state.get("preferred_shape", chosen.shape))
        case _:
            raise TypeError(f"an array of numbers was expected, not {type(value).__name__.strip('_')}")


def _raw_bytes(raw: object) -> bytes:
    match raw:
        case bytes():
            return raw
        case str():
            return raw.encode("latin1")
        case _Text(args=(str() as text, "latin1" | "latin-1")):
            return text.encode("latin1")
        case _:
            raise TypeError("the content of an array must be bytes")


def _number_type(dtype: _Dtype) -> "np.dtype[Any]":
    code, order = dtype.args[0], dtype.state[1]
    kind = np.dtype(str(code)).newbyteorder(order)
    if kind.kind not in _NUMBERS:
        raise TypeError(f"arrays of {kind} are not numbers")
    return kind
