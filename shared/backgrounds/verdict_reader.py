"""Reading what a background database knows about every picture that was looked at, finished or not."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import lmdb
import numpy as np
from pydantic import TypeAdapter

from shared.backgrounds.environment import DATABASE_FILES, open_databases, reading_environment
from shared.backgrounds.verdicts import VERDICT_ROW, Verdict, VerdictRows
from shared.errors import BackgroundError
from shared.json_text import parse_json
from shared.lmdb.damage import damage_as_error
from shared.storage.local_copy import fetch
from shared.storage.location import Location

_DETECTORS: Final = TypeAdapter(tuple[str, ...])


class VerdictReader:
    """The verdicts of a background database, whatever it keeps. Each process opens it for itself.

    Args:
        location: Folder that ``filter-backgrounds`` wrote, or its URL.
    """

    def __init__(self, location: Location) -> None:
        self.location = location
        self._databases: dict[bytes, Any] = {}
        self._environment: lmdb.Environment | None = None
        self._pid = -1

    @cached_property
    def path(self) -> Path:
        """Folder of the database on this machine."""
        return fetch(self.location, only=DATABASE_FILES)

    @property
    def num_verdicts(self) -> int:
        """Number of pictures that were looked at."""
        with self._begin() as transaction:
            return int(transaction.stat(self._databases[b"verdicts"])["entries"])

    def stored_photo(self, key: str) -> bytes | None:
        """Return a stored photograph by name, selected or not; None if the picture was not stored."""
        with self._begin() as transaction:
            value = transaction.get(os.fsencode(key), db=self._databases[b"photos"])
        return None if value is None else bytes(value)

    def rows(self) -> VerdictRows:
        """Return all verdicts as an array, in key order (55 bytes each)."""
        with self._begin() as transaction:
            return read_rows(transaction.cursor(self._databases[b"verdicts"]))

    def seen_keys(self) -> Iterator[str]:
        """Walk over the names of every picture that was looked at, in the order of `rows`."""
        with self._begin() as transaction:
            for key in transaction.cursor(self._databases[b"verdicts"]).iternext(values=False):
                yield os.fsdecode(bytes(key))

    def verdicts(self) -> Iterator[Verdict]:
        """Walk over every picture that was looked at, in key order."""
        with self._begin() as transaction:
            for key, row in transaction.cursor(self._databases[b"verdicts"]):
                yield Verdict.unpacked(os.fsdecode(bytes(key)), bytes(row), self._detectors)

    def noted(self, name: str) -> Any:
        """Return a note of the filter, or None."""
        with self._begin() as transaction:
            value = transaction.get(name.encode(), db=self._databases[b"meta"])
            return None if value is None else parse_json(bytes(value))

    @cached_property
    def _detectors(self) -> tuple[str, ...]:
        with damage_as_error(self.path):
            return _DETECTORS.validate_python(self.noted("detectors") or ())

    def _get(self, database: bytes, key: bytes) -> bytes:
        with self._begin() as transaction:
            value = transaction.get(key, db=self._databases[database])
        if value is None:
            raise BackgroundError(
                f"{self.path}: expected {key!r} in {database.decode()}, found nothing.",
                remedy="The file is damaged: make it again with `meshcycle filter-backgrounds`.",
            )
        return bytes(value)

    @contextmanager
    def _begin(self) -> Iterator[lmdb.Transaction]:
        with damage_as_error(self.path):
            if self._environment is None or self._pid != os.getpid():
                self._environment = reading_environment(self.path)
                self._databases = open_databases(self._environment, self.path)
                self._pid = os.getpid()
            with self._environment.begin() as transaction:
                yield transaction


def read_rows(cursor: lmdb.Cursor) -> VerdictRows:
    """Read all verdicts into an array."""
    joined = bytearray()
    for row in cursor.iternext(keys=False, values=True):
        joined += row
    return np.frombuffer(joined, VERDICT_ROW)
