"""FreiHAND's own archives, unpacked into the layout that they have already; nothing is changed.

The source is a folder with ``FreiHAND_pub_v2.zip``, ``FreiHAND_pub_v2_eval.zip`` or both, or one of these, or
the folder into which they were unpacked. What both archives have is taken from the first.
"""

import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, NoReturn

from tqdm import tqdm

from shared.errors import DatasetError
from shared.freihand import FreiHandSplit, SplitName
from shared.freihand.writer import LABEL_KINDS
from trainer.import_dataset.folder import import_folder
from trainer.import_dataset.report import ImportReport
from trainer.import_dataset.splits import SPLITS

TITLE: Final = "FreiHAND"
ARCHIVES: Final = ("FreiHAND_pub_v2.zip", "FreiHAND_pub_v2_eval.zip")

_WANTED: Final = re.compile(
    rf"(training|evaluation)(/(rgb|mask)/\d{{8}}\.jpg|_({'|'.join(LABEL_KINDS)})\.json)"
)
_CHUNK_BYTES: Final = 1 << 20
_DAMAGED: Final = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError)


@dataclass(frozen=True, slots=True)
class _Member:
    """A file of the source.

    Attributes:
        name: Where it belongs in the layout.
        size: Its bytes.
        where: The archive, or the folder.
        archive: The archive, opened; None for a folder.
    """

    name: str
    size: int
    where: Path
    archive: zipfile.ZipFile | None

    def open(self) -> IO[bytes]:
        """Open it for reading."""
        return (self.where / self.name).open("rb") if self.archive is None else self.archive.open(self.name)


def copy_freihand(source: Path, out: Path) -> ImportReport:
    """Unpack or copy the dataset; an interrupted call is continued by repeating it.

    Raises:
        DatasetError: The source is no FreiHAND, or damaged; or the folder holds other things.
    """
    with ExitStack() as stack:
        members = {member.name: member for member in _members(source, stack)}
        splits = [split for split in SPLITS if f"{split}_K.json" in members]
        if not splits:
            raise DatasetError(
                f"{source}: expected {' or '.join(ARCHIVES)}, or what is in them, found no such thing.",
                remedy=(
                    "Give the folder with the archives, an archive, or the folder into which they were "
                    "unpacked."
                ),
            )
        stack.enter_context(import_folder(out, {"dataset": TITLE}))
        # Labels come last, and of these the one that says that a split is complete.
        ordered = sorted(members.values(), key=lambda each: ("_K." in each.name, ".json" in each.name))
        kept = _copy(ordered, out)
    counts: dict[SplitName, int] = {split: len(FreiHandSplit(out, split)) for split in splits}
    return ImportReport(title=TITLE, out=out, images=counts, kept=kept)


def _members(source: Path, stack: ExitStack) -> Iterator[_Member]:
    """Go through what is wanted; later members of a name replace earlier ones."""
    places = [source] if source.is_file() else [source / name for name in ARCHIVES]
    archives = [path for path in places if path.is_file()]
    for path in reversed(archives):
        try:
            archive = stack.enter_context(zipfile.ZipFile(path))
        except _DAMAGED as error:
            raise DatasetError(
                f"{path}: expected an archive of FreiHAND, found {error}.",
                remedy="Download it again.",
            ) from error
        for member in archive.infolist():
            if _WANTED.fullmatch(member.filename):
                yield _Member(member.filename, member.file_size, path, archive)
    if not archives:
        for path in source.rglob("*"):
            name = path.relative_to(source).as_posix()
            if _WANTED.fullmatch(name):
                yield _Member(name, path.stat().st_size, source, None)


def _copy(members: list[_Member], out: Path) -> int:
    """Write what is not there yet; return how many images were."""
    kept = 0
    total = sum(member.size for member in members)
    with tqdm(total=total, desc=TITLE, unit="B", unit_scale=True, unit_divisor=1024) as bar:
        for member in members:
            path = out / member.name
            if path.exists() and path.stat().st_size == member.size:
                kept += "/rgb/" in member.name
                bar.update(member.size)
            else:
                _write(member, path, bar)
    return kept


def _write(member: _Member, path: Path, bar: "tqdm[NoReturn]") -> None:
    """Write aside and rename. What a power cut leaves too short is written again by the next call."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with member.open() as read, temporary.open("wb") as written:
            while chunk := read.read(_CHUNK_BYTES):
                written.write(chunk)
                bar.update(len(chunk))
        temporary.replace(path)
    except _DAMAGED as error:
        raise DatasetError(
            f"{member.where}: expected a whole {member.name}, found {error}.",
            remedy="Download the archive again.",
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
