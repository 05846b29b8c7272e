"""The index beside a shard's tar: where each sample is, its checksum, and how the shard was made.

It is written after the tar, so an index that exists means a complete shard.
"""

import hashlib
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from shared.errors import ShardError
from shared.records import Record
from shared.twins.names import SampleName
from shared.twins.sample import Provenance
from shared.twins.versioned_json import versioned_json

FORMAT = "meshcycle-synthetic-1"

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


def read_index(tar_path: Path) -> ShardIndex:
    """Read the index of a tar, and check that the tar has the size it promises.

    Raises:
        ShardError: The index is missing, damaged or of another version, or the tar was cut.
    """
    return read_hashed_index(tar_path)[0]


def read_hashed_index(tar_path: Path) -> tuple[ShardIndex, str]:
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
