"""What a person names to be predicted: files, folders, patterns and URLs, as one picture after the other."""

import glob
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

from shared.errors import DatasetError, StorageError
from shared.images import PHOTOGRAPH_SUFFIXES, VIDEO_SUFFIXES
from shared.storage.location import Location, is_url
from shared.storage.one_file import download_file
from trainer.photographs.files import UNREADABLE_SUFFIXES, list_photographs
from trainer.photographs.names import Whereabouts, names_of

MOST_BYTES: Final = 256 << 20
"""Of a photograph that is downloaded."""
MOST_VIDEO_BYTES: Final = 4 << 30

_LISTED: Final = PHOTOGRAPH_SUFFIXES | VIDEO_SUFFIXES | UNREADABLE_SUFFIXES

_ANY_URL: Final = re.compile(r"\w[\w+.-]*://[^\s'\"<>]*[^\s'\"<>:,.;)]")
"""In a text, without the marks that follow it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A photograph or a video.

    Attributes:
        place: The file, or its URL.
        name: Of its outputs, without suffix; no other source has it.
    """

    place: Location
    name: Path

    @property
    def label(self) -> str:
        """What it is called in what is written about it."""
        return _parts_of_url(str(self.place))[-1] if is_url(self.place) else Path(self.place).name

    @property
    def address(self) -> str:
        """Where it is, as anybody may read it."""
        return public_address(self.place)

    @property
    def is_video(self) -> bool:
        """Whether it is a video, by its name."""
        return PurePosixPath(self.label).suffix.lower() in VIDEO_SUFFIXES

    @contextmanager
    def at_hand(self) -> Iterator[Path]:
        """Give its file, which is a temporary copy for as long as that is needed, if it is at a URL.

        Raises:
            StorageError: The URL cannot be read, or has more than `MOST_BYTES`; of videos `MOST_VIDEO_BYTES`.
        """
        if not is_url(self.place):
            yield Path(self.place)
            return
        with tempfile.TemporaryDirectory(prefix="meshcycle-") as folder:
            path = Path(folder) / f"download{PurePosixPath(self.label).suffix}"
            url, most_bytes = str(self.place), MOST_VIDEO_BYTES if self.is_video else MOST_BYTES
            try:
                download_file(url, path, most_bytes=most_bytes)
            except StorageError as error:
                raise StorageError(_without_secrets(error.message, url), error.remedy) from None
            yield path


def list_sources(named: Sequence[Location], *, without: Path) -> list[Source]:
    """Return the pictures that a person means, each once.

    Of a folder, these are the photographs in it and below. What exists is never taken for a pattern.

    Args:
        named: Files, folders, patterns such as ``holiday/*.jpg`` (``**`` for any folders), and URLs of files.
        without: What folders and patterns have below this one is left out: earlier output.

    Raises:
        ConfigError: A folder is that of the output.
        DatasetError: Nothing is there, or there are no pictures in it.
    """
    expanded = [place for each in named for place in _expanded(each, without)]
    found: dict[Location, tuple[Location, Whereabouts]] = {}
    for place in expanded:
        if is_url(place):
            found.setdefault(place, (place, Whereabouts(_parts_of_url(str(place)))))
            continue
        if not Path(place).is_dir():
            whole = _whole(Path(place))
            found.setdefault(whole, (place, Whereabouts(whole.parts[1:])))
            continue
        folder = Path(place)
        for path in list_photographs(folder, without=without):
            below = len(path.relative_to(folder).parts)
            least = below if len(expanded) == 1 else below + 1  # as cp -r has it
            whole = _whole(path)
            found.setdefault(whole, (path, Whereabouts(whole.parts[1:], least)))
    names = names_of([whereabouts for _, whereabouts in found.values()])
    return [Source(place=place, name=name) for (place, _), name in zip(found.values(), names, strict=True)]


def _expanded(place: Location, without: Path) -> list[Location]:
    """Return what a pattern stands for, and anything else as it is."""
    if is_url(place) or Path(place).exists():
        return [place]
    if not glob.has_magic(str(place)):
        raise DatasetError(
            f"{place}: expected a photograph, a video, a folder, a pattern or a URL, found nothing there.",
            remedy="Correct the name.",
        )
    out = without.resolve()
    hits = [Path(hit) for hit in sorted(glob.glob(str(place), recursive=True))]  # noqa: PTH207 - absolute ones, too
    pictures: list[Location] = [
        hit
        for hit in hits
        if (hit.suffix.lower() in _LISTED or hit.is_dir())
        and out not in (hit.resolve(), *hit.resolve().parents)
    ]
    if "**" in str(place):  # which has every folder beside the files in it
        pictures = [hit for hit in pictures if not Path(hit).is_dir()]
    if not pictures:
        found = f"{len(hits)} other files" if hits else "no such files"
        raise DatasetError(
            f"{place}: expected a pattern of photographs and videos, found {found}.",
            remedy="Correct it.",
        )
    return pictures


def _whole(path: Path) -> Path:
    """Return the path from the root, without dots; a link keeps its name."""
    return path.parent.resolve() / path.name


def _parts_of_url(url: str) -> tuple[str, ...]:
    """Return the names on the way to what is at a URL, and its own."""
    split = urlsplit(url)
    parts = [unquote(part).replace("/", "_").replace("\0", "_") for part in split.path.split("/")]
    host = split.hostname or split.scheme  # never the password
    return (host, *(part for part in parts if part not in ("", ".", "..")))


def public_address(place: Location) -> str:
    """Return a place without what its URL may keep secret: user, password, and a query that may be signed.

    Example:
        >>> public_address("https://me:secret@example.org/hand.jpg?signature=a1b2")
        'https://example.org/hand.jpg'
    """
    if not is_url(place):
        return str(place)
    # as fsspec has it, a::b: the first lies in the second
    return "::".join(_bare(part) if is_url(part) else part for part in str(place).split("::"))


def _bare(url: str) -> str:
    split = urlsplit(url)
    return f"{split.scheme}://{split.netloc.rpartition('@')[2]}{split.path}"


def _without_secrets(text: str, url: str) -> str:
    """Take the secrets of a URL, and of those that backends have made of it, out of a message."""
    return _ANY_URL.sub(lambda found: public_address(found[0]), text.replace(url, public_address(url)))
