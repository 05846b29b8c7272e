"""Predictions and shards of others: damaged, contradictory or hostile ones are one line."""

import io
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from shared.errors import ShardError
from shared.twins.names import checked_name, checked_names
from shared.twins.predictions import FORMAT, PredictionShard, encode_predictions, read_predictions
from shared.twins.shards import _points

HANDS = 2
BAD_NAMES = (
    *("", ".", "..", ".hidden", "../x", "/etc/x", "a/b", "a\\b"),
    *("a\0b", "a\nb", "\ud800", "x" * 81, "\x7f"),
)
QUICK = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def predictions() -> PredictionShard:
    return PredictionShard(
        sample_ids=("00000000", "00000001"),
        verts_m=np.zeros((HANDS, 5, 3), np.float32),
        joints_m=np.zeros((HANDS, 21, 3), np.float32),
        cameras=np.zeros((HANDS, 3), np.float32),
        round_index=1,
        image_px=64,
    )


def with_metadata(**changes: object) -> bytes:
    metadata = {"format": FORMAT, "sample_ids": ["a", "b"], "round": 1, "image_px": 64, **changes}
    shard = predictions()
    tensors = {"verts_m": shard.verts_m, "joints_m": shard.joints_m, "camera": shard.cameras}
    return save(tensors, {"shard": json.dumps(metadata)})


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_that_lead_elsewhere_or_nowhere_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"name"):
        checked_name(name)


def test_names_of_photographs_are_accepted() -> None:
    assert checked_names(["00000000", "a.b-c d", "é"]) == ("00000000", "a.b-c d", "é")


@pytest.mark.parametrize(
    "changes",
    [
        *({"sample_ids": [name, "b"]} for name in BAD_NAMES if name.isascii()),
        {"sample_ids": ["a", "a"]},
        {"sample_ids": ["hands+objects", "b"]},
        {"sample_ids": [1, 2]},
        {"sample_ids": "ab"[:1]},
        {"sample_ids": None},
        *({"image_px": value} for value in (-1, 0, 200_000, 1.5, True, "64", None)),
        *({"round": value} for value in (-1, 10**9, 0.5, "1", None)),
    ],
)
def test_metadata_that_cannot_be_are_one_line(tmp_path: Path, changes: dict[str, object]) -> None:
    (tmp_path / "shard-00000.safetensors").write_bytes(with_metadata(**changes))
    with pytest.raises(ShardError, match="expected") as caught:
        read_predictions(tmp_path / "shard-00000.safetensors")
    assert "\n" not in str(caught.value)


def test_meshes_of_whole_numbers_are_refused(tmp_path: Path) -> None:
    shard = predictions()
    tensors: dict[str, Any] = {
        "verts_m": shard.verts_m.astype(np.int64),
        "joints_m": shard.joints_m,
        "camera": shard.cameras,
    }
    metadata = {"format": FORMAT, "sample_ids": ["a", "b"], "round": 1, "image_px": 64}
    (tmp_path / "s.safetensors").write_bytes(save(tensors, {"shard": json.dumps(metadata)}))
    with pytest.raises(ShardError, match="verts_m of float32, found int64"):
        read_predictions(tmp_path / "s.safetensors")


def npy(array: np.ndarray, *, allow_pickle: bool = False) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=allow_pickle)
    return file.getvalue()


HUGE = npy(np.zeros((1, 3), "<f4")).replace(b"(1, 3), }          ", b"(99999999999, 3), }", 1)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"garbage",
        HUGE,
        npy(np.array([{}]), allow_pickle=True),
        npy(np.zeros((4, 2), "<f4")),
        npy(np.zeros((4, 3), "<f8")),
        npy(np.full((4, 3), np.nan, "<f4")),
        npy(np.zeros((4, 3), "<f4"))[:-1],
    ],
)
def test_arrays_that_are_no_vertices_are_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="vertices"):
        _points(content)


@QUICK
@given(place=st.integers(0, 2000), value=st.integers(0, 255))
def test_mutated_predictions_are_read_or_refused(tmp_path: Path, place: int, value: int) -> None:
    content = bytearray(encode_predictions(predictions()))
    content[place % len(content)] = value
    path = tmp_path / "shard.safetensors"
    path.write_bytes(content)
    with suppress(ShardError):
        assert checked_names(read_predictions(path).sample_ids)


@QUICK
@given(content=st.binary(max_size=300), start=st.integers(0, 200))
def test_mutated_arrays_are_read_or_refused(content: bytes, start: int) -> None:
    whole = bytearray(npy(np.zeros((4, 3), "<f4")))
    whole[start : start + len(content)] = content
    try:
        points = _points(bytes(whole))
    except ValueError:
        return
    assert points.shape[1] == 3
    assert np.isfinite(points).all()
