"""Writes shards: twins packed into the bytes that they take up in a tar, and then the tar and its index."""

import hashlib
import io
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from shared.storage.files import write_durably
from shared.twins.sample import Provenance, SyntheticSample
from shared.twins.shard_index import FORMAT, SampleEntry, ShardIndex, index_path

_BLOCK: Final = 512
_END_OF_TAR: Final = bytes(2 * _BLOCK)


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
