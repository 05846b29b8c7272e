"""Arrays of others: some bytes never become gigabytes, and nothing in them is run."""

import io
import zipfile
from typing import Any

import numpy as np
import pytest

from shared.archives import read_arrays
from shared.errors import ShardError
from shared.json_text import parse_json


def archive_of(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def npy_of(array: np.ndarray[Any, Any]) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_of_every_kind_come_back(save: Any) -> None:
    arrays = {
        "numbers": np.arange(6.0).reshape(2, 3),
        "columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "nothing": np.empty((0, 3), np.float32),
        "one": np.array(7),
        "text": np.array("open hand"),
    }
    file = io.BytesIO()
    save(file, **arrays)
    found = read_arrays(file.getvalue())
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
    assert read_arrays(file.getvalue(), ("one",)).keys() == {"one"}


def test_an_array_that_claims_to_be_larger_than_its_file_is_refused() -> None:
    content = npy_of(np.zeros(1000)).replace(b"(1000,)", b"(10**9,)"[:7])
    endless = npy_of(np.zeros(1000)).replace(b"(1000,)", b"(9999,)")
    for each in (content, endless):
        with pytest.raises(ValueError, match=r"\w"):
            read_arrays(archive_of(a=each))


def test_an_archive_that_unpacks_to_gigabytes_is_refused_before_it_does() -> None:
    bomb = archive_of(**{f"part{number}": bytes(40 << 20) for number in range(8)})
    assert len(bomb) < 1 << 20
    with pytest.raises(ValueError, match="more than 268435456 bytes"):
        read_arrays(bomb)


@pytest.mark.parametrize("content", [b"", b"PK", b"\x93NUMPY", b"\x93NUMPY\x01\x00\xff\xff", b"x" * 300])
def test_what_is_no_array_is_refused(content: bytes) -> None:
    for whole in (content, archive_of(a=content)):
        with pytest.raises(ValueError, match=r"\w"):
            read_arrays(whole)


def test_objects_are_refused() -> None:
    with pytest.raises(ValueError, match="objects instead of numbers"):
        read_arrays(archive_of(a=npy_of(np.array([{}], dtype=object))))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "", b"\xff", "9" * 5000, "{"])
def test_text_that_no_parser_can_take_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_json(text)


def test_a_message_stays_readable_whatever_a_file_puts_into_it() -> None:
    """A damaged zip has kilobytes for the name of a member, and zipfile says all of them."""
    told = str(ShardError(f"a.tar: expected a shard, found {'x' * 200_000}.", "Render it again."))
    assert len(told) < 2100
    assert told.startswith("a.tar: expected a shard, found xxx")
    assert told.endswith("x. Render it again.")
    assert str(ShardError("one\ntwo")) == "one\ntwo"
