"""Synthetic shards: the rendered twins of one prediction shard, in a tar that WebDataset reads unchanged.

    shard-00000.tar          {id}.jpg, {id}.mask.png, {id}.verts.npy, {id}.json for every sample, in order
    shard-00000.index.json   where each sample is, its checksum, and how the shard was made

`shared.twins.shard_writing` writes them, and a round of shards is `shared.twins.rounds`.
"""

import hashlib
import io
import os
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from shared.errors import ShardError
from shared.twins.sample import SyntheticLabels, SyntheticSample
from shared.twins.shard_index import SampleEntry, ShardIndex, read_hashed_index

_NPY_HEADER_BYTES: Final = 128
_VERTEX_BYTES: Final = 12


@dataclass(frozen=True)
class SyntheticShard:
    """Random access to the samples of one tar, checked against its index.

    Nothing stays open between two reads: a shard can be pickled, forked, and held by the thousand.
    """

    tar_path: Path

    @cached_property
    def _hashed_index(self) -> tuple[ShardIndex, str]:
        return read_hashed_index(self.tar_path)

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
