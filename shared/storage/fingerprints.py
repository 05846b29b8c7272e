"""What is known about the files of a folder that is published or was fetched: so that none is read in vain.

A file whose size and time are those that were noted has the content that was noted.
"""

from collections.abc import Container
from pathlib import Path
from typing import Protocol

from pydantic import TypeAdapter, ValidationError

from shared.records import Record
from shared.storage.files import sha256_of, write_durably

_NAME = ".known-files.json"


class Content(Protocol):
    """What a listing says about a file."""

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    @property
    def content(self) -> str:
        """Sha256, or a tag of the store that it came from."""
        ...


class _Note(Record):
    size: int
    mtime_ns: int
    content: str


_NOTES = TypeAdapter(dict[str, _Note])


class KnownFiles:
    """The notes about a folder, stored in it in a hidden file.

    Args:
        folder: That folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            self._notes = _NOTES.validate_json((folder / _NAME).read_bytes())
        except (OSError, ValidationError):  # absent, or of another release: every file is read again
            self._notes = {}

    @property
    def names(self) -> set[str]:
        """Files that there are notes about."""
        return set(self._notes)

    def identify(self, name: str) -> tuple[int, str]:
        """Return size and sha256 of a file, which is read if need be."""
        path = self._folder / name
        status, note = path.stat(), self._notes.get(name)
        if note is None or (note.size, note.mtime_ns) != (status.st_size, status.st_mtime_ns):
            note = _Note(size=status.st_size, mtime_ns=status.st_mtime_ns, content=sha256_of(path))
            self._notes[name] = note
        return note.size, note.content

    def holds(self, name: str, wanted: Content) -> bool:
        """Whether a file has the wanted content; it is read if need be."""
        path = self._folder / name
        if not path.is_file() or path.stat().st_size != wanted.size:
            return False
        return self.identify(name)[1] == wanted.content

    def came_from(self, name: str, wanted: Content) -> bool:
        """Whether a file had the wanted content when it was noted, and is still there in whatever state."""
        note = self._notes.get(name)
        return note is not None and note.content == wanted.content and (self._folder / name).is_file()

    def note(self, name: str, content: str) -> None:
        """Note that a file has this content now."""
        status = (self._folder / name).stat()
        self._notes[name] = _Note(size=status.st_size, mtime_ns=status.st_mtime_ns, content=content)

    def forget_others(self, names: Container[str]) -> None:
        """Keep the notes about these files only."""
        self._notes = {name: note for name, note in self._notes.items() if name in names}

    def save(self) -> None:
        """Write the notes down."""
        write_durably(self._folder / _NAME, [_NOTES.dump_json(self._notes)])
