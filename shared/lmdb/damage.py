"""What LMDB, and whatever reads its values, raise at a damaged file: all of it is one error of ours."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import lmdb

from shared.errors import BackgroundError

_READING: Final = (
    *(lmdb.Error, struct.error, ValueError, IndexError, KeyError, TypeError, RecursionError, OverflowError),
)
DAMAGE: Final = (
    *(lmdb.CorruptedError, lmdb.PageNotFoundError, lmdb.InvalidError, lmdb.PanicError, lmdb.PageFullError),
    *(lmdb.CursorFullError, lmdb.BadTxnError, lmdb.BadDbiError, lmdb.ProblemError, lmdb.VersionMismatchError),
)
"""Errors that no caller causes; others, such as keys that are too long, are bugs."""


@contextmanager
def damage_as_error(path: Path, kinds: tuple[type[Exception], ...] = _READING) -> Iterator[None]:
    """Report what a block that reads a file meets in it.

    Args:
        path: Of the environment.
        kinds: Errors that mean damage there.

    Raises:
        BackgroundError: One of them was raised.
    """
    try:
        yield
    except kinds as error:
        raise BackgroundError(
            f"{path}: expected an intact LMDB, found a damaged one ({_in_one_line(error)}).",
            remedy="Copy, download or make it again.",
        ) from error


def _in_one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
