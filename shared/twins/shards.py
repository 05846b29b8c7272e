"""Synthetic shards: the rendered twins of one prediction shard, in a tar that WebDataset reads unchanged.

    shard-00000.tar          {id}.jpg, {id}.mask.png, {id}.verts.npy, {id}.json for every sample, in order
    shard-00000.index.json   where each sample is, its checksum, and how the shard was made

The index is written after the tar, so an index that exists means a complete shard. A round of shards is
`shared.twins.rounds`.
"""

import hashlib
import io
import os
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Final

import numpy as np
from pydantic import Field, ValidationError

from shared.errors import ShardError
from shared.json_text import parse_json
from shared.records import Record
from shared.storage.files import write_durably
from shared.twins.names import SampleName
from shared.twins.sample import Provenance, SyntheticLabels, SyntheticSample

FORMAT = "meshcycle-synthetic-1"

_BLOCK: Final = 512
_NPY_HEADER_BYTES: Final = 128
_VERTEX_BYTES: Final = 12
_END_OF_TAR: Final = bytes(2 * _BLOCK)


type _Place = Annotated[int, Field(ge=0, le=1 << 48)]
"""An offset or a number of bytes."""


class SampleEntry(Record):
    """Where one sample is in the tar.

    Attributes:
        offset: First byte of its first tar header.
        size: Bytes up to the end of its last member, padding included.
        sha256: Of those bytes.
        members: Offset and size of every member's content, by extension.
    """

    offset: _Place
    size: _Place
    sha256: str
    members: dict[str, tuple[_Place, _Place]]


class ShardIndex(Record):
    """The sidecar of a tar.

    Attributes:
        format: Always `FORMAT`.
        tar_bytes: Size of the whole tar.
        provenance: How the shard was made.
        samples: Samples in the order of the tar.
        quarantined: Samples that could not be drawn, and why.
    """

    format: str
    tar_bytes: _Place
    provenance: Provenance
    samples: dict[SampleName, SampleEntry]
    quarantined: dict[SampleName, str]


def is_there(tar_path: Path) -> bool:
    """Tell whether a shard is complete as far as names tell; what is in its files is not looked at."""
    return tar_path.exists() and index_path(tar_path).exists()


def index_path(tar_path: Path) -> Path:
    """Return the path of the index that belongs to a tar."""
    return tar_path.with_suffix(".index.json")


@dataclass(frozen=True, slots=True)
class PackedSample:
    """A sample as the bytes that it takes up in a tar.

    Attributes:
        sample_id: Its name.
        span: Its tar headers and contents, padding included.
        entry: What the index will say, as if the tar began with it.
    """

    sample_id: str
    span: bytes
    entry: SampleEntry


def write_shard(
    tar_path: Path,
    samples: Iterable[SyntheticSample | PackedSample],
    *,
    provenance: Provenance,
    quarantined: Mapping[str, str] | None = None,
) -> ShardIndex:
    """Write a tar and then its index; equal input gives equal bytes.

    An index left by an earlier attempt is removed first, so it can never describe another tar.

    Args:
        tar_path: Name of the tar.
        samples: In their order; packed ones cost little more than the disk.
        provenance: How the shard was made.
        quarantined: Samples that could not be drawn, and why.
    """
    index_path(tar_path).unlink(missing_ok=True)
    entries: dict[str, SampleEntry] = {}
    write_durably(tar_path, _tar_spans(samples, entries))
    index = ShardIndex(
        format=FORMAT,
        tar_bytes=tar_path.stat().st_size,
        provenance=provenance,
        samples=entries,
        quarantined=dict(quarantined or {}),
    )
    write_durably(index_path(tar_path), [index.model_dump_json(indent=1).encode()])
    return index


def _tar_spans(
    samples: Iterable[SyntheticSample | PackedSample], entries: dict[str, SampleEntry]
) -> Iterator[bytes]:
    """Yield the tar piece by piece, noting in `entries` where each sample is."""
    offset = 0
    for sample in samples:
        packed = pack_sample(sample) if isinstance(sample, SyntheticSample) else sample
        members = {suffix: (offset + start, size) for suffix, (start, size) in packed.entry.members.items()}
        entries[packed.sample_id] = packed.entry.model_copy(update={"offset": offset, "members": members})
        offset += len(packed.span)
        yield packed.span
    yield _END_OF_TAR


def pack_sample(sample: SyntheticSample) -> PackedSample:
    """Do the costly part of writing a sample; a worker does it, so that its driver need not."""
    verts = io.BytesIO()
    np.save(verts, np.ascontiguousarray(sample.verts_m, dtype="<f4"))
    contents = {
        "jpg": sample.jpeg,
        "mask.png": sample.mask_png,
        "verts.npy": verts.getvalue(),
        "json": sample.labels.model_dump_json().encode(),
        **sample.extras,
    }
    span = bytearray()
    members: dict[str, tuple[int, int]] = {}
    for suffix, content in contents.items():
        # Owner, mode and time are left at their fixed defaults, so that the bytes depend on the content only.
        header = tarfile.TarInfo(f"{sample.labels.sample_id}.{suffix}")
        header.size = len(content)
        span += header.tobuf(tarfile.USTAR_FORMAT)
        members[suffix] = (len(span), len(content))
        span += content + bytes(-len(content) % _BLOCK)
    digest = hashlib.sha256(span).hexdigest()
    entry = SampleEntry(offset=0, size=len(span), sha256=digest, members=members)
    return PackedSample(sample.labels.sample_id, bytes(span), entry)


@dataclass(frozen=True)
class SyntheticShard:
    """Random access to the samples of one tar, checked against its index.

    Nothing stays open between two reads: a shard can be pickled, forked, and held by the thousand.
    """

    tar_path: Path

    @cached_property
    def _hashed_index(self) -> tuple[ShardIndex, str]:
        return _read_hashed_index(self.tar_path)

    @property
    def index(self) -> ShardIndex:
        """The index, read on first use.

        Raises:
            ShardError: The index is missing, damaged or of another version, or the tar was cut.
        """
        return self._hashed_index[0]

    @property
    def index_sha256(self) -> str:
        """Hash of what the index was read from.

        Raises:
            ShardError: As `index`.
        """
        return self._hashed_index[1]

    def read(self, sample_id: str) -> SyntheticSample:
        """Return one sample.

        Raises:
            ShardError: The bytes on the disk are not those that were written.
        """
        entry = self.index.samples[sample_id]
        span = self._span(entry)
        found = hashlib.sha256(span).hexdigest()
        if found != entry.sha256:
            raise ShardError(
                (
                    f"{self.place}: expected sample {sample_id} to have sha256 "
                    f"{entry.sha256[:16]}…, found "
                    f"{found[:16]}… in {len(span)} of {entry.size} bytes."
                ),
                remedy="Delete the shard and render again.",
            )
        contents = {
            suffix: span[start - entry.offset : start - entry.offset + size]
            for suffix, (start, size) in entry.members.items()
        }
        try:
            return SyntheticSample(
                jpeg=contents.pop("jpg"),
                mask_png=contents.pop("mask.png"),
                verts_m=_points(contents.pop("verts.npy")),
                labels=SyntheticLabels.model_validate_json(contents.pop("json")),
                extras=contents,
            )
        except (KeyError, ValueError, EOFError) as error:
            found = f"no {error}" if isinstance(error, KeyError) else str(error).splitlines()[0]
            raise ShardError(
                f"{self.place}: expected sample {sample_id} to be a twin, found {found}.",
                remedy="Delete the shard and render again.",
            ) from error

    @property
    def place(self) -> str:
        """Where the tar is, for people."""
        return str(self.tar_path)

    def _span(self, entry: SampleEntry) -> bytes:
        """Read what should be a sample."""
        with self.tar_path.open("rb") as file:
            return os.pread(file.fileno(), entry.size, entry.offset)

    def is_intact(self) -> bool:
        """Tell whether every sample still is what was written; this reads the whole tar."""
        with self.tar_path.open("rb") as file:
            spans = (os.pread(file.fileno(), e.size, e.offset) for e in self.index.samples.values())
            digests = [hashlib.sha256(span).hexdigest() for span in spans]
        return digests == [entry.sha256 for entry in self.index.samples.values()]


def read_index(tar_path: Path) -> ShardIndex:
    """Read the index of a tar, and check that the tar has the size it promises.

    Raises:
        ShardError: The index is missing, damaged or of another version, or the tar was cut.
    """
    return _read_hashed_index(tar_path)[0]


def _read_hashed_index(tar_path: Path) -> tuple[ShardIndex, str]:
    """Read an index once, and return the hash of its file, too."""
    path = index_path(tar_path)
    try:
        content = path.read_bytes()
        index = parse_index(content, path)
        found_bytes = tar_path.stat().st_size
    except FileNotFoundError as error:
        raise ShardError(
            f"{tar_path}: expected a tar with its index {path.name}, found no {Path(error.filename).name}.",
            remedy="Render the round again; complete shards are kept.",
        ) from error
    if found_bytes != index.tar_bytes:
        raise ShardError(
            f"{tar_path}: expected {index.tar_bytes} bytes, found {found_bytes}.",
            remedy="Delete the shard and render the round again.",
        )
    return index, hashlib.sha256(content).hexdigest()


def parse_index(content: bytes, path: Path | str) -> ShardIndex:
    """Return the index that a file holds.

    Args:
        content: Of the file.
        path: Of the file, for errors.

    Raises:
        ShardError: It is damaged or of another version.
    """
    try:
        index = ShardIndex.model_validate(versioned_json(content, path, expected_format=FORMAT))
    except ValidationError as error:
        raise ShardError(
            (
                f"{path}: expected the index of a shard, found {error.error_count()} wrong fields, first "
                f"{'.'.join(map(str, error.errors()[0]['loc']))}."
            ),
            remedy="Delete it and render the round again.",
        ) from error
    for name, entry in index.samples.items():
        inside = all(
            entry.offset <= start and start + size <= entry.offset + entry.size
            for start, size in entry.members.values()
        )
        if entry.offset + entry.size > index.tar_bytes or not inside:
            raise ShardError(
                f"{path}: expected sample {name} inside of the tar, found it beyond.",
                remedy="Delete it and render the round again.",
            )
    return index


def _points(content: bytes) -> np.ndarray:
    """Read vertices as `pack_sample` writes them; another header is not even parsed.

    Raises:
        ValueError: They are none.
    """
    num_verts, rest = divmod(len(content) - _NPY_HEADER_BYTES, _VERTEX_BYTES)
    if num_verts < 1 or rest or content[:_NPY_HEADER_BYTES] != _npy_header(num_verts):
        raise ValueError("no array of vertices in verts.npy")
    points = np.frombuffer(content, "<f4", offset=_NPY_HEADER_BYTES).reshape(num_verts, 3).copy()
    if not np.isfinite(points).all():
        raise ValueError("vertices that are not finite")
    return points


@lru_cache
def _npy_header(num_verts: int) -> bytes:
    file = io.BytesIO()
    form = {"descr": "<f4", "fortran_order": False, "shape": (num_verts, 3)}
    np.lib.format.write_array_header_1_0(file, form)
    return file.getvalue()


def read_versioned_json(path: Path, *, expected_format: str) -> object:
    """Read a file with `versioned_json`.

    Raises:
        FileNotFoundError: There is no such file.
        ShardError: It is no JSON object, or of another format.
    """
    return versioned_json(path.read_bytes(), path, expected_format=expected_format)


def versioned_json(text: bytes, path: Path | str, *, expected_format: str) -> object:
    """Parse what a file held, as `read_versioned_json` does.

    Raises:
        ShardError: It is no JSON object, or of another format.
    """
    try:
        content = parse_json(text)
    except (ValueError, RecursionError) as error:
        raise ShardError(
            f"{path}: expected JSON, found {error}.",
            remedy="Delete it and render the round again.",
        ) from error
    found = content.get("format", "none") if isinstance(content, dict) else "no object"
    if found != expected_format:
        raise ShardError(
            f"{path}: expected format {expected_format}, found {found!s:.60}.",
            remedy="Render the round again with this release.",
        )
    return content
