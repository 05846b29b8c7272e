"""Arrays in ``.npz`` files that others wrote: nothing runs, and nothing takes more memory than it has bytes.

A few hundred bytes can claim to be an array of terabytes, or unpack to gigabytes of zeros.
"""

import io
import lzma
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Container
from typing import Any, Final

import numpy as np
from numpy.lib import format as npy

DAMAGED_ARCHIVE: Final = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, tokenize.TokenError),
    *(OSError, EOFError, ValueError, LookupError, TypeError, ArithmeticError, AttributeError),
    *(SyntaxError, MemoryError, RecursionError, NotImplementedError, RuntimeError),
)
"""What the libraries raise about a zip, and about arrays, that is damaged, encrypted or hostile."""

_LONGEST: Final = 300
"""Of a message; some libraries put what they have read into theirs."""
MOST_BYTES: Final = 1 << 28
"""Of all that is read from one archive; MANO has 5 MB."""


def read_arrays(data: bytes, names: Container[str] | None = None) -> dict[str, np.ndarray]:
    """Return the arrays of an ``.npz``, all or some, which are plain numbers or texts.

    Raises:
        ValueError: It is none, is damaged, or holds something else.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {member.filename.removesuffix(".npy"): member.filename for member in archive.infolist()}
            return {
                name: read_array(read_member(archive, member))
                for name, member in members.items()
                if names is None or name in names
            }
    except DAMAGED_ARCHIVE as error:
        raise ValueError(in_one_line(error)) from error


def read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return a file of an archive whose files together are not too large.

    Raises:
        ValueError: They are.
    """
    if sum(member.file_size for member in archive.infolist()) > MOST_BYTES:
        raise ValueError(f"more than {MOST_BYTES} bytes in it")
    return archive.read(name)


def read_array(content: bytes) -> np.ndarray[Any, Any]:
    """Return the array of an ``.npy`` file, which has as many bytes as its header says.

    Raises:
        ValueError: It has not, or holds objects.
    """
    file = io.BytesIO(content)
    version = npy.read_magic(file)
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, is_fortran, dtype = read_header(file)
    if dtype.hasobject:
        raise ValueError("objects instead of numbers")
    if math.prod(shape) * dtype.itemsize != len(content) - file.tell():
        raise ValueError(f"an array of another size than {' x '.join(map(str, shape))}")
    flat = np.frombuffer(content, dtype, offset=file.tell())
    return flat.reshape(shape, order="F" if is_fortran else "C")


def in_one_line(error: BaseException) -> str:
    """Return what an error says, or its name."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:_LONGEST]
