"""A pickle can run any code when it is opened; MANO's file must be readable all the same."""

import contextlib
import io
import os
import pickle
import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csc_matrix

from shared.errors import HandModelError
from shared.hand_model.mano_pickle import read_mano_pickle
from tests.support.mano_files import (
    Ch,
    OldCsc,
    Python2Pickler,
    Select,
    mano_content,
    open_hand_fields,
    python_2_pickle,
)

FIELDS = ("v_template", "f", "shapedirs", "posedirs", "weights", "J_regressor", "hands_mean")


def read(data: bytes, *fields: str) -> dict[str, np.ndarray]:
    return read_mano_pickle(data, where="MANO_RIGHT.pkl", fields=fields or FIELDS)


class WritesFile:
    """Creates a file when it is unpickled in the ordinary way."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.path,)


class Calls:
    """Calls something harmful when it is unpickled in the ordinary way."""

    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self.function, self.args = function, args

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.function, self.args


def object_array(value: Any) -> np.ndarray:
    array = np.empty(1, dtype=object)
    array[0] = value
    return array


def test_the_fixture_uses_the_names_and_the_protocol_of_mano() -> None:
    """The other tests prove something about MANO only as long as this holds."""
    operations = [(code.name, arg) for code, arg, _ in pickletools.genops(python_2_pickle(mano_content()))]
    names = {arg for code, arg in operations if code == "GLOBAL"}
    assert names == {
        "__builtin__ set",
        "chumpy.ch Ch",
        "chumpy.reordering Select",
        "numpy dtype",
        "numpy ndarray",
        "numpy.core.multiarray _reconstruct",
        "scipy.sparse.csc csc_matrix",
    }
    assert operations[0] == ("PROTO", 2)
    assert not {"BINUNICODE", "BINBYTES"} & {code for code, _ in operations}, "Python 2 wrote byte strings"


def test_every_array_of_manos_pickle_is_read() -> None:
    fields = read(python_2_pickle(mano_content()))
    original = open_hand_fields()
    assert set(fields) == set(FIELDS)
    for name in FIELDS:
        np.testing.assert_array_equal(fields[name], original[name], err_msg=name)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_a_copy_made_by_a_current_python_is_read(protocol: int) -> None:
    """Users convert the file; SciPy, NumPy, and the pickle protocol then have today's names."""
    original = open_hand_fields()
    content = {**original, "J_regressor": csc_matrix(original["J_regressor"])}
    del content["name"]
    fields = read(pickle.dumps(content, protocol=protocol))
    for name in FIELDS:
        np.testing.assert_array_equal(fields[name], original[name], err_msg=name)


def test_byte_order_and_memory_order_are_kept() -> None:
    array = np.arange(6.0).reshape(2, 3)
    content = {"big": array.astype(">f8"), "fortran": np.asfortranarray(array)}
    fields = read(pickle.dumps(content, protocol=2), "big", "fortran")
    np.testing.assert_array_equal(fields["big"], array)
    np.testing.assert_array_equal(fields["fortran"], array)


def test_a_selection_takes_elements_of_the_flattened_array() -> None:
    base = np.arange(12.0).reshape(3, 4)
    content = {"shapedirs": Select(Ch(base), np.array([1, 5, 9, 2, 6, 10]), (2, 3))}
    np.testing.assert_array_equal(read(python_2_pickle(content))["shapedirs"], [[1, 5, 9], [2, 6, 10]])


@pytest.mark.parametrize(
    "wrap",
    [
        lambda evil: evil,
        lambda evil: {"v_template": evil},
        lambda evil: {"unused": evil},
        lambda evil: {"shapedirs": Ch(evil)},
        lambda evil: {"shapedirs": Select(Ch(np.zeros(3)), np.zeros(1, int), evil)},
        lambda evil: {"f": object_array(evil)},
    ],
    ids=["alone", "field", "ignored field", "in chumpy", "deep in chumpy", "in an object array"],
)
def test_a_pickle_that_writes_a_file_is_refused_and_writes_none(
    tmp_path: Path, wrap: Callable[[Any], Any]
) -> None:
    trace = tmp_path / "trace"
    file = io.BytesIO()
    Python2Pickler(file).dump(wrap(WritesFile(trace)))
    with pytest.raises(HandModelError, match="expected only the classes of MANO's own pickle"):
        read(file.getvalue())
    assert not trace.exists()


def test_the_malicious_fixture_really_writes_a_file_elsewhere(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    pickle.loads(pickle.dumps(WritesFile(trace)))
    assert trace.exists()


@pytest.mark.parametrize(
    ("function", "args"),
    [
        (os.system, ("true",)),
        (eval, ("1",)),
        (exec, ("1",)),
        (getattr, (np, "load")),
        (__import__, ("os",)),
        (np.load, ("file.npy",)),
        (np.dtype("f8").newbyteorder, ("<",)),
        (pickle.loads, (b"",)),
        (bytearray, (4,)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_no_other_function_is_ever_looked_up(function: Callable[..., Any], args: tuple[Any, ...]) -> None:
    evil = Calls(function, *(arg for arg in args if arg is not np))
    with pytest.raises(HandModelError, match="expected only the classes"):
        read(pickle.dumps({"v_template": evil}, protocol=2))


@pytest.mark.parametrize(
    "name",
    [
        b"posix\nsystem",
        b"numpy.core.multiarray\nscalar",
        b"numpy._core.multiarray\nscalar",
        b"numpy.core.multiarray\nfromfile",
        b"copy_reg\n_reconstructor",
        b"chumpy.ch\nCh.__class__",
        b"shared.mano_pickle\n_Array",
        b"numpy\nlib",
    ],
)
def test_names_outside_the_list_are_refused_by_their_name(name: bytes) -> None:
    module, attribute = name.decode().split("\n")
    with pytest.raises(HandModelError, match=f"found {module}.{attribute}".replace(".", r"\.")):
        read(b"\x80\x02c" + name + b"\n.")


def test_a_qualified_name_of_protocol_4_cannot_reach_into_a_permitted_class() -> None:
    data = b"\x80\x04\x8c\x0achumpy.ch_\x94\x8c\x0bCh.__init__\x94\x93."
    with pytest.raises(HandModelError, match="expected only the classes"):
        read(data)


@pytest.mark.parametrize("target", [b"chumpy.ch\nCh", b"__builtin__\nset", b"numpy\ndtype"])
@pytest.mark.parametrize("state", [b"}U\x03foo\x81s", b"N}U\x03fooI1\ns\x86", b"}U\x03fooI1\ns"])
def test_a_pickle_cannot_change_the_permitted_classes(target: bytes, state: bytes) -> None:
    """BUILD sets attributes on whatever lies below it, which may be a class."""
    with pytest.raises(HandModelError):
        read(b"\x80\x02c" + target + b"\n" + state + b"b.")
    assert not hasattr(set, "foo")
    read(python_2_pickle(mano_content()))


@pytest.mark.parametrize(
    "content",
    [
        {"f": object_array(None)},
        {"f": np.array(["text"])},
        {"f": np.zeros(2, dtype=[("a", "f8")])},
        {"f": "text"},
        {"f": Ch(None)},
        {"f": Select(Ch(np.zeros(3)), np.array([7]), (1,))},
        {"f": Select(Ch(np.zeros(3)), np.array([1]), (5,))},
        ["no dictionary"],
    ],
    ids=["objects", "text", "records", "string", "empty chumpy", "far index", "wrong shape", "list"],
)
def test_what_is_no_array_of_numbers_is_one_clear_error(content: Any) -> None:
    with pytest.raises(HandModelError, match=r"MANO_RIGHT.pkl: expected MANO's pickle"):
        read(python_2_pickle(content))


@pytest.mark.parametrize("index", [16, 2_000_000_000, -1])
def test_a_sparse_matrix_cannot_write_beside_itself(index: int) -> None:
    """SciPy would, by default: one place too far goes unnoticed, and a far one ends the process."""
    matrix = csc_matrix(np.eye(16))
    matrix.indices[-1] = index
    with pytest.raises(HandModelError, match="expected MANO's pickle"):
        read(python_2_pickle({"f": OldCsc(matrix)}))


@pytest.mark.parametrize("remember", [b"r\x00\x00\x00\x3a", b"p973078528\n"], ids=["binary", "text"])
def test_a_few_bytes_cannot_ask_for_all_memory(remember: bytes) -> None:
    with pytest.raises(HandModelError, match="object number 973078528 in "):
        read(b"\x80\x02}" + remember + b".")


def test_damaged_escapes_are_no_warning() -> None:
    """Warnings are errors here."""
    assert read(b"\x80\x02}S'g'\nS'\\h'\n0S'\\h'\ns.") == {}


@given(st.binary(max_size=200))
def test_random_bytes_are_one_clear_error(data: bytes) -> None:
    with pytest.raises(HandModelError):
        read(data)


@given(st.data())
def test_a_damaged_file_is_read_or_refused_but_never_raises_anything_else(data: st.DataObject) -> None:
    content = {"f": Ch(np.arange(4)), "weights": Select(Ch(np.ones(2)), np.arange(2), (2,))}
    damaged = bytearray(python_2_pickle(content))
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(HandModelError):
        read(bytes(damaged))
