"""Exif as broken programs leave it, beside pixels that are whole."""

import struct
from typing import Final

_ON_ITS_SIDE: Final = struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0)


def _exif(entry: bytes) -> bytes:
    entries = sorted((_ON_ITS_SIDE, entry))
    return b"".join((b"Exif\0\0MM\0*", struct.pack(">IH", 8, len(entries)), *entries, bytes(4)))


READABLE_EXIF: Final = {
    "resolution in letters": _exif(struct.pack(">HHI4s", 0x011A, 2, 4, b"abc\0")),
    "resolution in bytes": _exif(struct.pack(">HHI4s", 0x011A, 7, 4, b"abc\0")),
    "width in letters": _exif(struct.pack(">HHI4s", 0x0100, 2, 4, b"abc\0")),
}
"""It says that the picture lies on its side, and something that cannot be true."""

UNREADABLE_EXIF: Final = b"Exif\0\0MM\0*"
