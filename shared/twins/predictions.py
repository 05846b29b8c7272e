"""Prediction shards: the meshes that one render task draws, in one safetensors file.

    tensors   verts_m (N, V, 3), joints_m (N, 21, 3), camera, and perhaps recycled_mm (N); float32
    metadata  shard, a JSON object: format, sample_ids, round, image_px

A camera is either what networks predict, (N, 3) as scale, tx_m, ty_m; or the pinhole that a labelled hand was
photographed with, (N, 4) as fx_px, fy_px, cx_px, cy_px, and then the points are where they are before it.

Safetensors is read alike by every NumPy and PyTorch version and runs no code. The camera is that of the
whole photograph, not of the network's crop, so that a render is a twin of the photograph.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from shared.errors import ShardError
from shared.json_text import parse_json
from shared.storage.files import write_durably
from shared.twins.names import MAX_IMAGE_PX, MAX_ROUND, checked_photographs
from shared.types import NUM_JOINTS, Camera, Intrinsics, WeakPerspective

FORMAT = "meshcycle-predictions-1"
_KEY = "shard"
_WEAK_NUMBERS, _PINHOLE_NUMBERS = 3, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionHead:
    """What a prediction shard says about itself; reading it costs a fraction of reading the hands.

    Attributes:
        sample_ids: One name per hand.
        num_verts: Vertices of each.
        round_index: Round whose model predicted them.
        image_px: Side of the square photograph.
    """

    sample_ids: tuple[str, ...]
    num_verts: int
    round_index: int
    image_px: int


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PredictionShard:
    """Predicted hands of some samples of one round.

    Attributes:
        sample_ids: One name per hand.
        verts_m: Vertices in camera axes; relative to any common point if the cameras are weak-perspective.
        joints_m: The joints that belong to them, in the same frame.
        cameras: One row per hand: scale, tx_m, ty_m of `WeakPerspective`, or fx_px, fy_px, cx_px, cy_px of
            `Intrinsics`.
        round_index: Round whose model predicted them.
        image_px: Side of the square photograph.
        recycled_mm: How wrong the model is about the twins that each photograph had; not a number where it
            had none, and None where nobody asked.
    """

    sample_ids: tuple[str, ...]
    verts_m: Float32[np.ndarray, "hands verts 3"]
    joints_m: Float32[np.ndarray, "hands 21 3"]
    cameras: Float32[np.ndarray, "hands numbers"]
    round_index: int
    image_px: int
    recycled_mm: Float32[np.ndarray, " hands"] | None = None

    def __len__(self) -> int:
        return len(self.sample_ids)

    @property
    def head(self) -> PredictionHead:
        """What it says about itself."""
        return PredictionHead(
            sample_ids=self.sample_ids,
            num_verts=self.verts_m.shape[1],
            round_index=self.round_index,
            image_px=self.image_px,
        )

    def camera(self, row: int) -> Camera:
        """Return the camera of one hand."""
        numbers = [float(value) for value in self.cameras[row]]
        if len(numbers) == _WEAK_NUMBERS:
            return WeakPerspective(*numbers)
        fx_px, fy_px, cx_px, cy_px = numbers
        return Intrinsics(
            fx_px=fx_px,
            fy_px=fy_px,
            cx_px=cx_px,
            cy_px=cy_px,
            width_px=self.image_px,
            height_px=self.image_px,
        )


def write_predictions(path: Path, shard: PredictionShard) -> None:
    """Write a shard so that no reader can see half of it."""
    write_durably(path, [encode_predictions(shard)])


def encode_predictions(shard: PredictionShard) -> bytes:
    """Return the content of the file; equal shards give equal bytes."""
    metadata = {
        "format": FORMAT,
        "sample_ids": shard.sample_ids,
        "round": shard.round_index,
        "image_px": shard.image_px,
    }
    tensors = {"verts_m": shard.verts_m, "joints_m": shard.joints_m, "camera": shard.cameras}
    if shard.recycled_mm is not None:
        tensors["recycled_mm"] = shard.recycled_mm
    contiguous = {name: np.ascontiguousarray(value, dtype="<f4") for name, value in tensors.items()}
    # One key, because safetensors writes several in an order that changes from file to file.
    return save(contiguous, {_KEY: json.dumps(metadata)})


def read_head(path: Path) -> PredictionHead:
    """Read what a shard says about itself; whether its hands can be read is not looked at.

    Raises:
        ShardError: The file is missing, damaged, or of another format.
    """
    with _opened(path) as (file, metadata):
        return _head(metadata, num_verts=file.get_slice("verts_m").get_shape()[1])


def read_predictions(path: Path) -> PredictionShard:
    """Read a shard.

    Raises:
        ShardError: The file is missing, damaged, of another format, or its parts disagree.
    """
    with _opened(path) as (file, metadata):
        verts_m = file.get_tensor("verts_m")
        head = _head(metadata, num_verts=verts_m.shape[1])
        shard = PredictionShard(
            sample_ids=head.sample_ids,
            verts_m=verts_m,
            joints_m=file.get_tensor("joints_m"),
            cameras=file.get_tensor("camera"),
            round_index=head.round_index,
            image_px=head.image_px,
            recycled_mm=file.get_tensor("recycled_mm") if "recycled_mm" in file.keys() else None,  # noqa: SIM118 - no mapping
        )
    num_hands = len(shard.sample_ids)
    shapes: dict[str, tuple[int, ...]] = {
        "verts_m": shard.verts_m.shape,
        "joints_m": shard.joints_m.shape,
        "camera": shard.cameras.shape,
    }
    wanted: dict[str, tuple[int, ...]] = {
        "verts_m": (num_hands, *shard.verts_m.shape[1:2], 3),
        "joints_m": (num_hands, NUM_JOINTS, 3),
        "camera": (
            num_hands,
            _PINHOLE_NUMBERS if shard.cameras.shape[1:] == (_PINHOLE_NUMBERS,) else _WEAK_NUMBERS,
        ),
    }
    arrays = {"verts_m": shard.verts_m, "joints_m": shard.joints_m, "camera": shard.cameras}
    if shard.recycled_mm is not None:
        shapes["recycled_mm"], wanted["recycled_mm"] = shard.recycled_mm.shape, (num_hands,)
        arrays["recycled_mm"] = shard.recycled_mm
    for name, values in arrays.items():
        if values.dtype != np.float32:
            raise ShardError(
                f"{path}: expected {name} of float32, found {values.dtype}.",
                remedy="Delete it and predict again.",
            )
    for name, shape in shapes.items():
        if shape != wanted[name]:
            found = " x ".join(map(str, shape))
            raise ShardError(
                (
                    f"{path}: expected {name} of {num_hands} hands ({' x '.join(map(str, wanted[name]))}), "
                    f"found {found}."
                ),
                remedy="Delete it and predict again.",
            )
    return shard


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    """Give the open file and its metadata; what goes wrong with it arrives as a `ShardError`."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = parse_json((file.metadata() or {}).get(_KEY, "{}"))
            if metadata.get("format") != FORMAT:
                raise ShardError(
                    (
                        f"{path}: expected a prediction shard of format {FORMAT}, found "
                        f"{metadata.get('format', 'none')!s:.60}."
                    ),
                    remedy="Predict again with this release.",
                )
            yield file, metadata
    except (OSError, SafetensorError, AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ShardError(
            f"{path}: expected a prediction shard, {error}.",
            remedy="Delete it and predict again.",
        ) from error


def _head(metadata: Mapping[str, Any], *, num_verts: int) -> PredictionHead:
    return PredictionHead(
        sample_ids=checked_photographs(metadata["sample_ids"]),
        num_verts=num_verts,
        round_index=_whole_number(metadata, "round", least=0, most=MAX_ROUND),
        image_px=_whole_number(metadata, "image_px", least=1, most=MAX_IMAGE_PX),
    )


def _whole_number(metadata: Mapping[str, object], name: str, *, least: int, most: int) -> int:
    value = metadata[name]
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ValueError(f"found {name} = {value!a}, not {least} to {most}")
    return value
