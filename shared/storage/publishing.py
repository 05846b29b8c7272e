"""Folders published at a URL: a reader sees one as it was or as it is, never half of it.

Work is done in local folders, so that tars are read with pread and LMDB maps its file. Publishing copies one
to a URL, fetching copies it to another machine. A listing says what a published folder consists of,
which is written last:

    meshcycle-files.json   {"format", "files": {name: {"key", "size", "content"}}}

An object that a listing names is never overwritten. A file that has changed goes to another key, and the old
object is deleted when the new listing is there. So an interrupted publication leaves the earlier one
complete, and repeating it uploads only what is missing. Which objects will be new is noted before, in
``meshcycle-files.pending.json``: that tells those of an interruption from those of others, which are never
overwritten. Folders that other programs uploaded have no listing and can be fetched too: then the store's
size and entity tag stand for the checksum.
"""

import re
import shutil
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, field_validator

from shared.errors import StorageError
from shared.records import Record
from shared.storage.files import sha256_of
from shared.storage.fingerprints import KnownFiles
from shared.storage.object_store import ObjectStore

FORMAT: Final = "meshcycle-files-1"
LISTING: Final = "meshcycle-files.json"
PENDING: Final = "meshcycle-files.pending.json"
EVERYTHING: Final = ("*",)

_ATTEMPTS: Final = 3
_ASIDE: Final = ".fetching"
_INCOMPLETE: Final = ".incomplete"
_SHA256: Final = re.compile("[0-9a-f]{64}")
_KEYS: Final = TypeAdapter(list[str])


class FileEntry(Record):
    """One file of a published folder.

    Attributes:
        key: Name of its object, relative to the URL.
        size: Bytes.
        content: Sha256 of the file; where another program uploaded it, the store's tag of the object.
    """

    key: str
    size: int
    content: str


class FileListing(Record):
    """What a published folder consists of.

    Attributes:
        format: Always `FORMAT`.
        files: By name relative to the folder, with slashes.
    """

    format: str = FORMAT
    files: dict[str, FileEntry]

    @field_validator("files")
    @classmethod
    def _stay_inside(cls, files: dict[str, FileEntry]) -> dict[str, FileEntry]:
        for name in (*files, *(entry.key for entry in files.values())):
            if name.startswith("/") or ".." in name.split("/"):
                raise ValueError(f"{name} leads out of the folder")
        return files

    def matching(self, patterns: Sequence[str]) -> dict[str, FileEntry]:
        """Return the files whose names match one of the patterns, where ``*`` also matches slashes."""
        return {name: entry for name, entry in self.files.items() if _matches(name, patterns)}


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def read_listing(store: ObjectStore) -> FileListing | None:
    """Return what is published at a URL; None if nothing is.

    Raises:
        StorageError: The URL cannot be read, or the listing is none that this release wrote.
    """
    text = store.read(LISTING)
    if text is None:
        return None
    try:
        listing = FileListing.model_validate_json(text)
        if listing.format != FORMAT:
            raise ValueError(f"format {listing.format}")
    except ValueError as error:
        raise StorageError(
            f"{store.url}/{LISTING}: expected a listing of format {FORMAT}, found {error}.",
            remedy="Publish the folder again with this release, or delete the listing.",
        ) from error
    return listing


def publish(folder: Path, url: str, names: Iterable[str]) -> None:
    """Make a URL hold exactly these files of a folder; what it holds already is not uploaded again.

    Args:
        folder: Local folder; its files are replaced as wholes or not at all, as `write_durably` does.
        url: Where to. Only one process publishes there. What other programs put there is left alone.
        names: Relative to the folder, with slashes.

    Raises:
        StorageError: The URL cannot be written, or somebody's object has a name that is needed there. What
            was published there before still is.
    """
    store = ObjectStore(url)
    before = read_listing(store) or FileListing(files={})
    known = KnownFiles(folder)
    after: dict[str, FileEntry] = {}
    upload: dict[str, Path] = {}
    for name in sorted(names):
        size, content = known.identify(name)
        old = before.files.get(name)
        if old is not None and (old.size, old.content) == (size, content):
            after[name] = old
            continue
        key = name if old is None or old.key != name else f"{name}.{content[:12]}"
        after[name] = FileEntry(key=key, size=size, content=content)
        upload[key] = folder / name
    if after != before.files:
        if upload:
            _announce(store, upload.keys() - {entry.key for entry in before.files.values()})
            store.upload(upload, description=f"publishing {folder.name}")
        store.write(LISTING, FileListing(files=after).model_dump_json(indent=1).encode())
        store.delete([PENDING] if upload else [])
        kept = {entry.key for entry in after.values()}
        store.delete(sorted(entry.key for entry in before.files.values() if entry.key not in kept))
    known.forget_others(after)
    known.save()


def _announce(store: ObjectStore, keys: AbstractSet[str]) -> None:
    """Note which objects will be new, unless others of these names are there."""
    try:
        ours = set(_KEYS.validate_json(store.read(PENDING) or b"[]"))
    except ValueError as error:
        raise StorageError(
            f"{store.url}/{PENDING}: expected the names of objects, found something else.",
            remedy="Delete it, and what was begun there.",
        ) from error
    if foreign := (store.find().keys() & keys) - ours:
        raise StorageError(
            f"{store.url}/{min(foreign)}: expected a free name, found somebody's object.",
            remedy="Give another URL; nothing was changed.",
        )
    store.write(PENDING, _KEYS.dump_json(sorted(keys | ours)))


def download(url: str, folder: Path, *, only: Sequence[str] = EVERYTHING, keep_changes: bool = False) -> None:
    """Bring a folder up to what is published at a URL.

    Files that are there already stay, files that were published or fetched before and are gone at the URL are
    deleted, and others are left alone, as are those of other names. Should this be interrupted,
    `is_incomplete` says so.

    Args:
        url: Where from.
        folder: Local folder.
        only: Patterns of names, where ``*`` also matches slashes.
        keep_changes: Keep files that were changed here, if they were not changed at the URL as well.

    Raises:
        StorageError: There is nothing, it cannot be read, or it is damaged.
    """
    store = ObjectStore(url)
    for _ in range(_ATTEMPTS):
        listing = read_listing(store) or _unlisted(store)
        if not listing.matching(only):
            found = f"{len(listing.files)} other files" if listing.files else "nothing"
            expected = "files" if only == EVERYTHING else " or ".join(only)
            raise StorageError(
                f"{url}: expected {expected} there, found {found}.",
                remedy="Correct the URL.",
            )
        try:
            _bring(store, folder, listing, only, keep_changes=keep_changes)
        except (FileNotFoundError, _DamagedError) as error:
            problem = error
            if (read_listing(store) or _unlisted(store)) == listing:
                break  # it was not published anew meanwhile
        else:
            return
    raise StorageError(
        f"{url}: expected what was published, found {problem}.",
        remedy="Publish it again.",
    ) from problem


def is_incomplete(folder: Path) -> bool:
    """Whether a download into a folder was interrupted."""
    return (folder / _INCOMPLETE).exists()


class _DamagedError(Exception):
    """An object is not what the listing says."""


def _bring(
    store: ObjectStore, folder: Path, listing: FileListing, only: Sequence[str], *, keep_changes: bool
) -> None:
    known, wanted = KnownFiles(folder), listing.matching(only)
    missing = {
        name: entry
        for name, entry in wanted.items()
        if not (known.holds(name, entry) or (keep_changes and known.came_from(name, entry)))
    }
    gone = {name for name in known.names - listing.files.keys() if _matches(name, only)}
    if not missing and not gone:
        return
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _INCOMPLETE).touch()
    aside = {name: folder / _ASIDE / name for name in missing}
    if missing:
        store.download(
            {entry.key: aside[name] for name, entry in missing.items()},
            num_bytes=sum(entry.size for entry in missing.values()),
            description=f"fetching {folder.name}",
        )
    for name, entry in missing.items():
        _check(aside[name], entry)
    for name, entry in missing.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        aside[name].replace(folder / name)
        known.note(name, entry.content)
    for name in gone:
        (folder / name).unlink(missing_ok=True)
    known.forget_others(known.names - gone)
    known.save()
    shutil.rmtree(folder / _ASIDE, ignore_errors=True)
    (folder / _INCOMPLETE).unlink()


def _check(path: Path, entry: FileEntry) -> None:
    size = path.stat().st_size
    if size != entry.size:
        raise _DamagedError(f"{size} of {entry.size} bytes in {entry.key}")
    if _SHA256.fullmatch(entry.content) and sha256_of(path) != entry.content:
        raise _DamagedError(f"another checksum than {entry.content[:16]}… in {entry.key}")


def _unlisted(store: ObjectStore) -> FileListing:
    """Return what another program uploaded."""
    files = {
        name: FileEntry(key=name, size=found.size, content=found.tag)
        for name, found in store.find().items()
        if not name.endswith("/") and name != PENDING
    }
    return FileListing(files=files)
