"""What a person names to be predicted: files, folders, patterns and URLs, as one picture after the other."""

import glob
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote, urlsplit

from shared.errors import DatasetError
from shared.images import PHOTOGRAPH_SUFFIXES, VIDEO_SUFFIXES
from shared.storage.location import Location, is_url
from shared.storage.one_file import download_file
from trainer.photographs.files import UNREADABLE_SUFFIXES, list_photographs
from trainer.photographs.names import Whereabouts, names_of

MOST_BYTES: Final = 256 << 20
"""Of a photograph that is downloaded."""
MOST_VIDEO_BYTES: Final = 4 << 30

_LISTED: Final = PHOTOGRAPH_SUFFIXES | VIDEO_SUFFIXES | UNREADABLE_SUFFIXES


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
        return _parts_of(self.place)[-1]

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
            download_file(str(self.place), path, most_bytes=MOST_VIDEO_BYTES if self.is_video else MOST_BYTES)
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
        if is_url(place) or not Path(place).is_dir():
            found.setdefault(_whole(place), (place, Whereabouts(_parts_of(place))))
            continue
        folder = Path(place)
        for path in list_photographs(folder, without=without):
            below = len(path.relative_to(folder).parts)
            least = below if len(expanded) == 1 else below + 1  # as cp -r has it
            found.setdefault(_whole(path), (path, Whereabouts(_parts_of(path), least)))
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


def _whole(place: Location) -> Location:
    """Return the path from the root, without dots; a link keeps its name."""
    return place if is_url(place) else Path(place).parent.resolve() / Path(place).name


def _parts_of(place: Location) -> tuple[str, ...]:
    """Return the names on the way to a place, and its own."""
    if not is_url(place):
        return Path(_whole(place)).parts[1:]
    url = urlsplit(str(place))
    parts = [unquote(part).replace("/", "_").replace("\0", "_") for part in url.path.split("/")]
    host = url.hostname or url.scheme  # never the password
    return (host, *(part for part in parts if part not in ("", ".", "..")))
