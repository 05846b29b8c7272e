"""The background database: people-free photographs, and a verdict on every picture that was looked at.

One LMDB environment with four named databases:

    photos     key -> the encoded picture: original bytes, or re-encoded smaller
    verdicts   key -> one row of `verdicts`, also for pictures that hold people or cannot be decoded
    positions  0, 1, 2, ... as big-endian u32 -> key of a photograph: the selection, in key order
    meta       "format", "detectors", "selection" and whatever the filter notes about its run, as JSON

A key is ``<source>/<name in the source>``. The selection is a function of the verdicts alone and is published
in one transaction, so a new threshold needs no new detection, and a position means the same picture on every
machine. Opened without lock files and without read-ahead, so that read-only and network mounts work. Of all
files in the folder a reader needs only ``data.mdb``, so that is what is published at a URL.
"""

import hashlib
import json
import os
import struct
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Self, TypedDict

import lmdb
import numpy as np
from jaxtyping import Bool
from pydantic import Field, TypeAdapter

from shared.backgrounds.environment import DATABASES, FORMAT, open_databases
from shared.backgrounds.verdict_reader import VerdictReader, read_rows
from shared.backgrounds.verdicts import Verdict, VerdictRows
from shared.errors import BackgroundError
from shared.json_text import parse_json
from shared.lmdb.damage import DAMAGE, damage_as_error
from shared.lmdb.intact import require_complete
from shared.lmdb.sound import require_sound
from shared.storage.location import Location, is_url

_POSITION = struct.Struct(">I")
_FIRST_MAP_BYTES = 64 << 20
_FILTER = "meshcycle filter-backgrounds"


class _Selection(TypedDict):
    count: Annotated[int, Field(ge=0, lt=1 << 32)]
    fingerprint: str
    rules: dict[str, Any]


_SELECTION = TypeAdapter(_Selection)


class BackgroundReader(VerdictReader):
    """The selected photographs of a background database, by position.

    Pickles as a location and a fingerprint. Each process opens the database for itself, also after a fork. A
    machine fetches it once if the location is a URL. The constructor checks the database, so that a wrong
    folder is reported before any work starts; a copy that was pickled does so when it is first used.

    Args:
        location: Folder that ``filter-backgrounds`` wrote, or its URL.
        fingerprint: Expect this selection, and check it only when it is needed.

    Raises:
        BackgroundError: It is missing, something else, of another format, unfinished or empty.
        StorageError: The URL cannot be read.
    """

    def __init__(self, location: Location, *, fingerprint: str | None = None) -> None:
        super().__init__(location)
        self._expected = fingerprint
        if fingerprint is None:
            _ = self.selection

    @cached_property
    def selection(self) -> _Selection:
        """What is selected, and by which rules."""
        selection = self.noted("selection")
        with damage_as_error(self.path):
            selection = selection and _SELECTION.validate_python(selection)
        if not selection:
            raise BackgroundError(
                f"{self.location}: expected a finished background database, found an interrupted one.",
                remedy=f"Repeat its `{_FILTER}` command; it resumes where it stopped.",
            )
        if self._expected not in (None, selection["fingerprint"]):
            raise BackgroundError(
                (
                    f"{self.location}: expected the selection {self._expected:.12}, found "
                    f"{selection['fingerprint']:.12}."
                ),
                remedy="It was selected again while it was in use; start again.",
            )
        if selection["count"] == 0:
            raise BackgroundError(
                (
                    f"{self.location}: expected photographs without people, found none in "
                    f"{self.num_verdicts} pictures."
                ),
                remedy=f"Give `{_FILTER}` other sources, or a higher --threshold.",
            )
        return selection

    def __len__(self) -> int:
        return int(self.selection["count"])

    def __reduce__(self) -> tuple[Callable[[], "BackgroundReader"], tuple[()]]:
        # Whoever unpickles this may run in another folder.
        location = self.location if is_url(self.location) else Path(self.location).absolute()
        return partial(BackgroundReader, location, fingerprint=self.fingerprint), ()

    @property
    def fingerprint(self) -> str:
        """Hash of the selected photographs, the detectors and the rules of the selection."""
        return str(self.selection["fingerprint"])

    def key(self, position: int) -> str:
        """Return the name of a photograph."""
        return os.fsdecode(self._key(position))

    def image_bytes(self, position: int) -> bytes:
        """Return a photograph as an encoded JPEG, WebP or PNG file."""
        return self._get(b"photos", self._key(position))

    def verdict(self, position: int) -> Verdict:
        """Return what is known about a photograph, its mean colour among it."""
        key = self._key(position)
        return Verdict.unpacked(os.fsdecode(key), self._get(b"verdicts", key), self._detectors)

    def _key(self, position: int) -> bytes:
        if not 0 <= position < len(self):
            raise IndexError(f"{self.path}: position {position} is outside [0, {len(self)})")
        return self._get(b"positions", _POSITION.pack(position))


class BackgroundWriter:
    """Adds verdicts and photographs, then publishes a selection. One process at a time.

    Args:
        path: Directory of the database; created if missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._environment = lmdb.open(
                os.fsencode(path), map_size=_FIRST_MAP_BYTES, max_dbs=len(DATABASES)
            )
        except (OSError, lmdb.Error) as error:
            raise BackgroundError(
                (
                    f"{path}: expected a directory to write a background database to, found a "
                    f"problem: {error}."
                ),
                remedy="Give another --out.",
            ) from error
        require_complete(self._environment, path)
        require_sound(path / "data.mdb", DATABASES)
        if self._environment.stat()["entries"] == 0:
            with self._environment.begin(write=True) as transaction:
                self._databases = {name: self._environment.open_db(name, transaction) for name in DATABASES}
                transaction.put(b"format", json.dumps(FORMAT).encode(), db=self._databases[b"meta"])
        else:
            self._databases = open_databases(self._environment, path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the database; what was added is on the disk already."""
        self._environment.close()

    def noted(self, name: str) -> Any:
        """Return a note, or None."""
        with damage_as_error(self.path), self._environment.begin() as transaction:
            value = transaction.get(name.encode(), db=self._databases[b"meta"])
            return None if value is None else parse_json(bytes(value))

    def note(self, name: str, value: Any) -> None:
        """Keep a JSON value in ``meta``."""
        encoded = json.dumps(value, sort_keys=True).encode()
        self._write(lambda transaction: transaction.put(name.encode(), encoded, db=self._databases[b"meta"]))

    def seen(self, keys: Iterable[str]) -> Bool[np.ndarray, " keys"]:
        """Tell for every key whether there is a verdict."""
        with damage_as_error(self.path), self._environment.begin(buffers=True) as transaction:
            cursor = transaction.cursor(self._databases[b"verdicts"])
            return np.fromiter((cursor.set_key(os.fsencode(key)) for key in keys), dtype=bool)

    def add(self, verdicts: Iterable[Verdict], photos: Mapping[str, bytes]) -> None:
        """Write verdicts and the photographs worth keeping in one transaction: all of it, or none.

        Args:
            verdicts: One per picture that was looked at.
            photos: Encoded pictures by key.
        """
        known = list(self.noted("detectors") or ())
        rows = {}
        for verdict in verdicts:
            if verdict.detector not in known:
                known.append(verdict.detector)
                self.note("detectors", known)
            rows[os.fsencode(verdict.key)] = verdict.packed(known)

        def put(transaction: lmdb.Transaction) -> None:
            for key, row in rows.items():
                transaction.put(key, row, db=self._databases[b"verdicts"])
            for name, picture in photos.items():
                transaction.put(os.fsencode(name), picture, db=self._databases[b"photos"])

        self._write(put)

    def rows(self) -> VerdictRows:
        """Return all verdicts as an array, in key order (55 bytes each)."""
        with damage_as_error(self.path), self._environment.begin(buffers=True) as transaction:
            return read_rows(transaction.cursor(self._databases[b"verdicts"]))

    def without_photo(self, keep: Bool[np.ndarray, " verdicts"]) -> list[str]:
        """Return the keys of those rows to keep whose photograph is not stored. Touches every photograph."""
        with damage_as_error(self.path), self._environment.begin(buffers=True) as transaction:
            keys = transaction.cursor(self._databases[b"verdicts"]).iternext(values=False)
            photos = transaction.cursor(self._databases[b"photos"])
            return [
                os.fsdecode(bytes(key))
                for key, wanted in zip(keys, keep, strict=True)
                if wanted and not photos.set_key(key)
            ]

    def publish(self, keep: Bool[np.ndarray, " verdicts"], *, rules: Mapping[str, Any]) -> str:
        """Make these rows the selection, in one transaction, and return its fingerprint.

        Args:
            keep: One flag per row of `rows`; every photograph to keep is stored already.
            rules: What led to the selection, for people and for the fingerprint.
        """
        identity = json.dumps([FORMAT, self.noted("detectors"), rules], sort_keys=True)

        def put(transaction: lmdb.Transaction) -> str:
            digest = hashlib.sha256(identity.encode())
            transaction.drop(self._databases[b"positions"], delete=False)
            keys = transaction.cursor(self._databases[b"verdicts"]).iternext(values=False)
            count = 0
            for key, wanted in zip(keys, keep, strict=True):
                if wanted:
                    transaction.put(_POSITION.pack(count), key, db=self._databases[b"positions"], append=True)
                    digest.update(bytes(key) + b"\n")
                    count += 1
            selection = {"count": count, "fingerprint": digest.hexdigest(), "rules": dict(rules)}
            transaction.put(b"selection", json.dumps(selection).encode(), db=self._databases[b"meta"])
            return digest.hexdigest()

        return self._write(put)

    def _write[T](self, action: Callable[[lmdb.Transaction], T]) -> T:
        while True:
            try:
                with damage_as_error(self.path, DAMAGE), self._environment.begin(write=True) as transaction:
                    return action(transaction)
            except lmdb.MapFullError:
                self._environment.set_mapsize(2 * self._environment.info()["map_size"])
            except lmdb.Error as error:
                if type(error) not in (lmdb.Error, lmdb.DiskError):  # the others are bugs
                    raise
                raise BackgroundError(
                    f"{self.path}: expected to write to it, found the disk full or failing ({error}).",
                    remedy="Free space on the disk and repeat the command; it resumes where it stopped.",
                ) from error
