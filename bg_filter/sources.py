"""Where photographs come from: LSUN's LMDB directories as they are distributed, and plain folders.

A source is recognised by what is in it and never written to. Names are listed without reading a picture.
"""

import os
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

import lmdb
import numpy as np

from shared.errors import BackgroundError
from shared.images import DATABASE_SUFFIXES
from shared.lmdb.damage import damage_as_error
from shared.lmdb.intact import require_complete
from shared.lmdb.keys import NameArray, list_keys
from shared.lmdb.sound import require_sound
from shared.storage.regular_file import read_regular_file

MAX_KEY_BYTES = 511  # LMDB's limit, for the source's name, a slash and the picture's name


class PhotoSource(Protocol):
    """A named collection of encoded pictures, readable from several threads.

    Attributes:
        name: First part of the key of every picture of the source.
        path: Where it is.
    """

    name: str
    path: Path

    @property
    def stamp(self) -> str | None:
        """Text that changes whenever the names may have changed; None if that cannot be told cheaply."""
        ...

    def names(self) -> NameArray:
        """Return the names of all pictures, sorted."""
        ...

    def read(self, name: str) -> bytes:
        """Return an encoded picture; empty if the source has nothing under that name.

        Raises:
            BackgroundError: The source itself has gone.
        """
        ...


class LmdbSource:
    """A category of LSUN: one LMDB whose keys are names and whose values are JPEG or WebP files.

    Raises:
        BackgroundError: It is empty, damaged, or already a background database.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = _name(path)
        if (path / "data.mdb").stat().st_size == 0 or self._num_entries == 0:
            raise BackgroundError(
                f"{path}: expected photographs, found an empty LMDB.",
                remedy="Download it again.",
            )
        with damage_as_error(path), self._environment.begin() as transaction:
            if transaction.cursor().set_key(b"positions"):
                raise BackgroundError(
                    f"{path}: expected unfiltered photographs, found a background database.",
                    remedy="It is ready for use as it is.",
                )

    @cached_property
    def _environment(self) -> lmdb.Environment:
        try:
            environment = lmdb.open(os.fsencode(self.path), readonly=True, lock=False, readahead=False)
        except lmdb.Error as error:
            raise BackgroundError(
                f"{self.path}: expected an LMDB of photographs, found that LMDB cannot open it ({error}).",
                remedy="Download it again.",
            ) from error
        require_complete(environment, self.path)
        require_sound(self.path / "data.mdb", leaves=False)  # LSUN has 150,000 of them in its bedrooms
        return environment

    @cached_property
    def _num_entries(self) -> int:
        return int(self._environment.stat()["entries"])

    @property
    def stamp(self) -> str:
        """Return size, time and number of entries of the file."""
        status = (self.path / "data.mdb").stat()
        return f"{status.st_size} bytes, {status.st_mtime_ns} ns, {self._num_entries} entries"

    def names(self) -> NameArray:
        """Return the keys without reading a value, if the file is one that allows it.

        Raises:
            BackgroundError: The keys are numbers rather than names, or a page is damaged.
        """
        require_sound(self.path / "data.mdb")
        listed = list_keys(self.path / "data.mdb")
        if listed is not None:
            return listed
        with damage_as_error(self.path), self._environment.begin() as transaction:
            width = 1
            for key in transaction.cursor().iternext(values=False):
                width = max(width, len(key))
                if key.endswith(b"\0"):  # NumPy pads with zero bytes, and would lose this one
                    raise BackgroundError(
                        f"{self.path}: expected names as keys, found {key!r}.",
                        remedy=(
                            "LSUN's are text; give the LMDB as it was downloaded, or a folder "
                            "with the pictures."
                        ),
                    )
            keys = transaction.cursor().iternext(values=False)
            return np.fromiter(keys, dtype=f"S{width}", count=self._num_entries)

    def read(self, name: str) -> bytes:
        """Return the value of one key.

        Raises:
            BackgroundError: The file is damaged.
        """
        with damage_as_error(self.path), self._environment.begin() as transaction:
            return bytes(transaction.get(os.fsencode(name)) or b"")


class FolderSource:
    """A folder with pictures in it, at any depth. A picture is a file with one of `DATABASE_SUFFIXES`."""

    stamp = None

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = _name(path)

    def names(self) -> NameArray:
        """List the files, as paths relative to the folder with forward slashes."""
        found = [
            os.fsencode((folder / file).relative_to(self.path).as_posix())
            for folder, _, files in self.path.walk()
            for file in files
            if Path(file).suffix.lower() in DATABASE_SUFFIXES
        ]
        return np.array(sorted(found), dtype=np.bytes_)

    def read(self, name: str) -> bytes:
        """Return the content of a file; empty if it has gone since it was listed, or cannot be read."""
        try:
            return read_regular_file(self.path / name)
        except OSError as error:
            if not self.path.is_dir():  # a mount that went away is no reason to call every picture bad
                raise BackgroundError(
                    f"{self.path}: expected a folder with pictures, found it gone while reading them.",
                    remedy="Repeat the command when it is back; it resumes where it stopped.",
                ) from error
            return b""


def open_sources(paths: Sequence[Path]) -> list[PhotoSource]:
    """Recognise every path; a folder of LMDB directories, or of folders of them, means all of them.

    What is given twice counts once.

    Raises:
        BackgroundError: A path is missing or holds no photographs, or two sources have the same name.
    """
    found = {each.resolve(): (kind, each) for path in paths for kind, each in _sources_at(path)}
    for name, count in Counter(_name(path) for path in found).items():
        if count > 1:
            same = " and ".join(str(path) for _, path in found.values() if _name(path) == name)
            raise BackgroundError(
                f"{same}: expected sources with names of their own, found {count} called {name}.",
                remedy="Filter them into separate databases, or rename one directory.",
            )
    return [kind(path) for kind, path in found.values()]


def _name(path: Path) -> str:
    return path.resolve().name.removesuffix("_lmdb")


def _sources_at(path: Path) -> list[tuple[type[LmdbSource | FolderSource], Path]]:
    if not path.exists():
        raise BackgroundError(
            f"{path}: expected an LSUN directory or a folder with pictures, found nothing.",
            remedy="Check the path; LSUN's archives must be unpacked first.",
        )
    if not path.is_dir():
        raise BackgroundError(
            f"{path}: expected an LSUN directory or a folder with pictures, found a file.",
            remedy="Give the directory; LSUN's archives must be unpacked first.",
        )
    for level in ("", "*/", "*/*/"):  # a category, a folder of categories, and one for each split
        categories = sorted(file.parent for file in path.glob(level + "data.mdb"))
        if categories:
            return [(LmdbSource, category) for category in categories]
    if any(file.suffix.lower() in DATABASE_SUFFIXES for file in path.rglob("*")):
        return [(FolderSource, path)]
    raise BackgroundError(
        f"{path}: expected data.mdb or pictures ({', '.join(sorted(DATABASE_SUFFIXES))}), found neither.",
        remedy="Give a directory such as bedroom_train_lmdb, or a folder with photographs.",
    )
