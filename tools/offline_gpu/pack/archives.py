"""Files into archives, and archives into parts of a limited size.

An archive is a tar in xz, which Python's standard library unpacks. There are many, so that all cores of a
node unpack at once. Each is kept in the cache by the hash of its content, so that packing again is quick:
times, owners and orders are fixed, and the same files give the same bytes.
"""

import functools
import hashlib
import io
import json
import lzma
import shutil
import tarfile
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple

NOTE: Final = "part.json"
"""File of a part that says which one it is, how many there are, and what its archives hash to."""

_THOROUGH: Final = 9
_ALONE_FROM: Final = 8 << 20
"""A file of this size gets an archive of its own."""
_TOGETHER: Final = 24 << 20
_TEXT: Final = (".py", ".txt", ".json", ".toml", ".ocio", ".ptx")
_STORED: Final = (".zst", ".jpg", ".woff2", ".exr", ".npz")
"""Nothing is gained from compressing these again, but they travel with the others."""

type PartKind = Literal["tree", "data"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """How files become parts.

    Attributes:
        cache: Where archives are kept.
        part_bytes: Of a part at most.
        jobs: Processes that compress.
        level: Of xz, from 0, which is quick, to 9, which is small.
    """

    cache: Path
    part_bytes: int
    jobs: int
    level: int


class Archive(NamedTuple):
    """Files that are compressed together, by their names in the tree."""

    name: str
    files: tuple[str, ...]

    def size(self, root: Path) -> int:
        """Return the bytes of its files."""
        return sum((root / name).stat().st_size for name in self.files)


def plan(root: Path) -> list[Archive]:
    """Group all files under a folder."""
    groups: dict[str, list[str]] = {}
    archives = []
    for path in sorted(path for path in root.rglob("*") if path.is_file() or path.is_symlink()):
        name = path.relative_to(root).as_posix()
        if path.stat().st_size >= _ALONE_FROM:
            archives.append(Archive(path.name.split(".")[0].strip("_") or "file", (name,)))
        else:
            kind = "text" if path.suffix in _TEXT else "rest" if path.suffix in _STORED else "code"
            groups.setdefault(f"{name.split('/')[0]}-{kind}", []).append(name)
    for group, names in groups.items():
        some: list[str] = []
        size = number = 0
        for name in sorted(names, key=lambda name: (Path(name).suffix, name)):
            some.append(name)
            size += (root / name).stat().st_size
            if size >= _TOGETHER:
                archives.append(Archive(f"{group}-{number}", tuple(some)))
                some, size, number = [], 0, number + 1
        if some:
            archives.append(Archive(f"{group}-{number}", tuple(some)))
    return archives


def compress(root: Path, archives: Iterable[Archive], packing: Packing, pool: Executor) -> dict[str, Path]:
    """Return the compressed archives by name, largest first; prints a line for each.

    Args:
        root: Folder of their files.
        archives: What to compress.
        packing: How.
        pool: Processes that compress.
    """
    todo = sorted(archives, key=lambda archive: -archive.size(root))
    done: dict[str, Path] = {}
    started_s = time.monotonic()
    some = functools.partial(_compress_to_fit, root, packing)
    made = pool.map(some, todo)
    for archive, path in zip(todo, made, strict=True):
        done[archive.name if archive.name not in done else f"{archive.name}-{len(done)}"] = path
        elapsed_s, before, after = time.monotonic() - started_s, archive.size(root), path.stat().st_size
        print(
            f"  {elapsed_s:5.0f} s  {archive.name:32}{_mib(before):8.1f} MiB to{_mib(after):7.2f}", flush=True
        )
    return done


def _compress_to_fit(root: Path, packing: Packing, archive: Archive) -> Path:
    """Compress quickly, and thoroughly what would not fit into a part otherwise."""
    path = _compress(root, packing.cache, packing.level, archive)
    if packing.level < _THOROUGH and path.stat().st_size > packing.part_bytes:
        path = _compress(root, packing.cache, _THOROUGH, archive)
    return path


def _compress(root: Path, cache: Path, level: int, archive: Archive) -> Path:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for name in archive.files:
            info = tar.gettarinfo(root / name, name)
            info.mtime = info.uid = info.gid = 0
            info.uname = info.gname = ""
            info.mode = 0o755 if info.mode & 0o100 else 0o644
            if info.isfile():
                with (root / name).open("rb") as file:
                    tar.addfile(info, file)
            else:
                tar.addfile(info)
    content = buffer.getvalue()
    path = cache / "archives" / f"{hashlib.sha256(b'%d ' % level + content).hexdigest()[:32]}.tar.xz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        is_code = "-text-" not in archive.name and "-rest-" not in archive.name
        filters: list[dict[str, int]] = [{"id": lzma.FILTER_X86}] if is_code else []
        filters.append({"id": lzma.FILTER_LZMA2, "preset": level})
        temporary = path.with_suffix(f".{id(archive)}.part")
        temporary.write_bytes(
            lzma.compress(content, format=lzma.FORMAT_XZ, check=lzma.CHECK_CRC64, filters=filters)
        )
        temporary.rename(path)
    return path


def distribute(
    archives: Mapping[str, Path], out: Path, kind: PartKind, *, limit_bytes: int, first: Iterable[str] = ()
) -> list[int]:
    """Copy archives into parts, and return their sizes in bytes.

    Args:
        archives: By name.
        out: Folder of the parts: ``1``, ``2``, … of the tree, ``data1``, ``data2``, … of a dataset. Parts of
            that kind that were there before are removed.
        kind: What they hold.
        limit_bytes: Of a part.
        first: Archives that get the first part for themselves.

    Raises:
        SystemExit: An archive is larger than a part may be.
    """
    prefix = "" if kind == "tree" else kind
    for old in out.glob(f"{prefix}[0-9]*"):
        shutil.rmtree(old)
    parts = _fill({name: path.stat().st_size for name, path in archives.items()}, limit_bytes, set(first))
    for number, names in enumerate(parts, start=1):
        folder = out / f"{prefix}{number}"
        folder.mkdir(parents=True)
        hashes = {}
        for name in sorted(names):
            shutil.copy(archives[name], folder / f"{name}.tar.xz")
            hashes[f"{name}.tar.xz"] = hashlib.sha256(archives[name].read_bytes()).hexdigest()
        note = {"kind": kind, "number": number, "count": len(parts), "sha256": hashes}
        (folder / NOTE).write_text(json.dumps(note, indent=1), encoding="utf-8")
    return [sum(archives[name].stat().st_size for name in names) for names in parts]


def _fill(sizes: Mapping[str, int], limit_bytes: int, first: set[str]) -> list[list[str]]:
    """Put the largest archives first, each into the fullest part that still has room."""
    parts: list[list[str]] = [[]]
    for name in sorted(sizes.keys() - first, key=lambda name: (-sizes[name], name)):
        if sizes[name] > limit_bytes:
            raise SystemExit(
                f"pack: expected archives of at most {_mib(limit_bytes):.0f} MiB, found {name} with "
                f"{_mib(sizes[name]):.0f}. Give --part-mib."
            )
        fullness = [sum(sizes[other] for other in part) for part in parts]
        fitting = [place for place, size in enumerate(fullness) if size + sizes[name] <= limit_bytes]
        if fitting:
            parts[max(fitting, key=lambda place: fullness[place])].append(name)
        else:
            parts.append([name])
    return [sorted(first), *parts] if first else parts


def content_name(path: Path) -> str:
    """Return a name for a file's content."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _mib(size_bytes: float) -> float:
    return size_bytes / 2**20
