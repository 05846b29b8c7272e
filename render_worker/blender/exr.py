"""Reads back what Blender drew: uncompressed scanline OpenEXR files of 32-bit channels, and nothing else.

Needed for engines other than Cycles: their result can be saved but not read in background mode. An
uncompressed EXR in memory-backed storage is the fastest exact way out of Blender.
"""

import struct
from pathlib import Path
from typing import Final

import numpy as np
from jaxtyping import Float32

from shared.errors import RenderError

_MAGIC: Final = b"\x76\x2f\x31\x01\x02"
_LONG_NAMES: Final = 0x04  # the only flag that does not change the layout
_HEADER_START: Final = 8
_FLOAT: Final = 2
_NEEDED: Final = {"channels", "compression", "dataWindow"}


def read_exr(path: Path) -> dict[str, Float32[np.ndarray, "rows columns"]]:
    """Return the channels of an EXR file by name.

    Raises:
        RenderError: The file is not one that Blender wrote with the settings of `scene`.
    """
    data = path.read_bytes()
    attributes = _attributes(data, path)
    names, kinds = _channels(attributes["channels"])
    if attributes["compression"] != b"\0" or set(kinds) != {_FLOAT}:
        raise RenderError(
            f"{path}: expected an uncompressed float EXR, found another kind.",
            remedy="Report this.",
        )
    left, top, right, bottom = struct.unpack("<4i", attributes["dataWindow"])
    columns, rows = right - left + 1, bottom - top + 1
    line_bytes = 8 + 4 * columns * len(names)  # row number and size, then the channels one after the other
    # Uncompressed lines have a fixed size and end the file, so the table of their offsets is not needed.
    lines = np.frombuffer(data, np.uint8, offset=len(data) - rows * line_bytes).reshape(rows, line_bytes)
    values = np.ascontiguousarray(lines[:, 8:]).view("<f4").reshape(rows, len(names), columns)
    return {name: values[:, channel] for channel, name in enumerate(names)}


def _attributes(data: bytes, path: Path) -> dict[str, bytes]:
    """Return the attributes that the layout depends on; they come early, and the rest is not looked at."""
    if not data.startswith(_MAGIC) or data[len(_MAGIC)] & ~_LONG_NAMES:
        raise RenderError(
            f"{path}: expected an EXR file of one part, found another.",
            remedy="Report this.",
        )
    attributes: dict[str, bytes] = {}
    at = _HEADER_START
    while data[at] and not attributes.keys() >= _NEEDED:
        name, at = _string(data, at)
        _, at = _string(data, at)
        (size,) = struct.unpack_from("<i", data, at)
        attributes[name] = data[at + 4 : at + 4 + size]
        at += 4 + size
    return attributes


def _channels(value: bytes) -> tuple[list[str], list[int]]:
    names, kinds = [], []
    at = 0
    while value[at]:
        name, at = _string(value, at)
        names.append(name)
        kinds.append(struct.unpack_from("<i", value, at)[0])
        at += 16  # pixel type, linearity, sampling in x and y
    return names, kinds


def _string(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(0, at)
    return data[at:end].decode(), end + 1
