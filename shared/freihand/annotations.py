"""FreiHAND's annotation files, ``[[[x, y, z], ...], ...]``, read in bounded memory and once per machine.

`training_verts.json` of FreiHAND is 1.5 GB of text, which `json.load` would turn into some 8 GB of objects.
Here the text passes in pieces, and the numbers of a large file are kept as ``.npy`` in the user's cache
directory (`shared.storage.cache`), because a dataset is often mounted read-only. Size and time of the text
decide whether the cache is still true.
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from shared.archives import DAMAGED_ARCHIVE
from shared.errors import DatasetError
from shared.storage.cache import cache_folder

CHUNK_BYTES = 16 << 20
CACHED_FROM_BYTES = 4 << 20
"""Smaller files are read again in less than a second."""

LARGEST = 1e9
"""Of any metre or pixel, in whatever unit; squares of larger ones overflow where they are compared."""

_NUMBERS_AND_BLANKS = b"0123456789.+-eENaInfity \t\r\n"
"""What json writes for numbers, those that are not finite among them, and what may stand between them."""

type Annotation = Float32[np.ndarray, "poses rows columns"]


def read_annotation(path: Path, *, rows: int | None, columns: int = 3) -> Annotation:
    """Return one table of numbers per pose.

    A large annotation is mapped into memory, copy on write, so that many processes share one copy of it.

    Args:
        path: JSON file, one list of rows per pose.
        rows: Rows that each pose must have; None takes the number that the file has.
        columns: Numbers that each row must have.

    Raises:
        DatasetError: The file is no such table, or holds a number that is not finite.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise DatasetError(f"{path}: expected an annotation file, {error.strerror}.") from error
    if status.st_size < CACHED_FROM_BYTES:
        return _parse(path, rows=rows, columns=columns)
    cached = _cache_path(path, status)
    table = _load(cached)
    if table is None:
        table = _parse(path, rows=rows, columns=columns)
        if _store(cached, table):
            table = _load(cached)
            assert table is not None, "what was just written can be read"
    if table.shape[2] != columns or rows not in (None, table.shape[1]):
        raise _wrong_shape(path, f"{len(table)} x {table.shape[1]} x {table.shape[2]}", rows, columns)
    return table


def _parse(path: Path, *, rows: int | None, columns: int) -> Annotation:
    """Read the numbers, and compare what stands between them with what stands in a regular table."""
    pieces: list[np.ndarray] = []
    skeleton = bytearray()
    try:
        for text in _pieces(path):
            skeleton += text.translate(None, _NUMBERS_AND_BLANKS) + b","
            with np.errstate(over="ignore"):  # what becomes infinite is refused below
                pieces.append(np.fromstring(text.translate(None, b"[] \t\r\n"), sep=",").astype(np.float32))
    except ValueError as error:
        raise DatasetError(
            f"{path}: expected nested JSON lists of numbers, {error}.",
            remedy="Unpack the dataset again.",
        ) from error
    numbers = np.concatenate(pieces) if pieces else np.empty(0, np.float32)
    brackets = skeleton.count(b"[")
    poses = brackets - 1 - numbers.size // columns
    found_rows = numbers.size // (poses * columns) if poses > 0 else 0
    if found_rows == 0 or numbers.size != poses * found_rows * columns or rows not in (None, found_rows):
        raise _wrong_shape(path, f"{numbers.size} numbers in {brackets} brackets", rows, columns)
    row = b"[" + b"," * (columns - 1) + b"]"
    pose = b"[" + b",".join([row] * found_rows) + b"]"
    if skeleton != b"[" + pose + (b"," + pose) * (poses - 1) + b"],":
        raise _wrong_shape(path, "rows of unequal length, texts, or a part cut off", rows, columns)
    if not np.isfinite(numbers).all():
        raise DatasetError(
            f"{path}: expected finite numbers, found NaN or infinity.",
            remedy="Unpack it again.",
        )
    if (largest := float(np.abs(numbers).max())) > LARGEST:
        raise DatasetError(
            f"{path}: expected numbers of at most {LARGEST:g}, found {largest:g}.",
            remedy="Unpack it again.",
        )
    return numbers.reshape(poses, found_rows, columns)


def _pieces(path: Path) -> Iterator[bytes]:
    """Cut the text between numbers."""
    rest = b""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            text, comma, tail = (rest + chunk).rpartition(b",")
            if comma:
                yield text
            rest = tail
    yield rest


def _wrong_shape(path: Path, found: str, rows: int | None, columns: int) -> DatasetError:
    wanted = f"poses x {'vertices' if rows is None else rows} x {columns}"
    return DatasetError(
        f"{path}: expected {wanted} numbers, found {found}.",
        remedy="Unpack the dataset again.",
    )


def _cache_path(path: Path, status: os.stat_result) -> Path:
    place = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16]
    state = f"{status.st_size:x}-{status.st_mtime_ns:x}"
    return cache_folder("annotations") / f"{path.stem}-{place}-{state}.npy"


def _load(cached: Path) -> Annotation | None:
    try:
        mapped = np.load(cached, mmap_mode="c", allow_pickle=False)
    except DAMAGED_ARCHIVE:  # absent, or cut short: parsing again is always right
        return None
    return np.asarray(mapped) if mapped.ndim == 3 and mapped.dtype == np.float32 else None


def _store(cached: Path, table: Annotation) -> bool:
    """Keep a table and forget the ones of older states of the same file; say whether that was possible."""
    temporary = cached.with_name(f".{cached.name}.{os.getpid()}.tmp")
    try:
        cached.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            np.save(file, table, allow_pickle=False)
        temporary.replace(cached)
        place = cached.stem.rsplit("-", 2)[0]
        for old in cached.parent.glob(f"{place}-*.npy"):
            if old != cached:
                old.unlink(missing_ok=True)
    except OSError:  # no home, no space, read-only: the next process parses again
        return False
    return True
