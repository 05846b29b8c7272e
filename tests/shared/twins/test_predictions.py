"""Prediction shards on the disk."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from shared.errors import ShardError
from shared.twins.predictions import PredictionShard, encode_predictions, read_predictions, write_predictions
from shared.types import Intrinsics, WeakPerspective


@pytest.fixture
def shard() -> PredictionShard:
    rng = np.random.default_rng(0)
    return PredictionShard(
        sample_ids=("00000003", "00000001"),
        verts_m=rng.normal(size=(2, 778, 3)).astype(np.float32),
        joints_m=rng.normal(size=(2, 21, 3)).astype(np.float32),
        cameras=np.array([[8, 0.01, 0.02], [9, 0.0, -0.01]], dtype=np.float32),
        round_index=3,
        image_px=224,
    )


def test_what_is_written_is_read(shard: PredictionShard, tmp_path: Path) -> None:
    path = tmp_path / "round-0003" / "shard-00000.safetensors"
    write_predictions(path, shard)
    found = read_predictions(path)
    assert found.sample_ids == shard.sample_ids
    assert (found.round_index, found.image_px) == (3, 224)
    for name in ("verts_m", "joints_m", "cameras"):
        np.testing.assert_array_equal(getattr(found, name), getattr(shard, name))
    assert found.camera(1) == WeakPerspective(9.0, 0.0, float(np.float32(-0.01)))
    assert [child.name for child in path.parent.iterdir()] == [path.name]


def test_labelled_hands_keep_the_pinhole_that_photographed_them(
    shard: PredictionShard, tmp_path: Path
) -> None:
    numbers = np.array([[480, 481, 111.5, 112.5], [490, 491, 110, 109]], dtype=np.float32)
    write_predictions(tmp_path / "shard.safetensors", replace(shard, cameras=numbers))
    assert read_predictions(tmp_path / "shard.safetensors").camera(0) == Intrinsics(
        fx_px=480.0, fy_px=481.0, cx_px=111.5, cy_px=112.5, width_px=224, height_px=224
    )


def test_equal_predictions_are_equal_bytes(shard: PredictionShard) -> None:
    """The hash of its predictions is part of a synthetic shard, which must not change from run to run."""
    assert len({encode_predictions(shard) for _ in range(20)}) == 1


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match=r"none\.safetensors: expected a prediction shard"):
        read_predictions(tmp_path / "none.safetensors")


@pytest.mark.parametrize("kept", [0, 7, 200, 15_000])
def test_a_truncated_file_is_refused(shard: PredictionShard, tmp_path: Path, kept: int) -> None:
    path = tmp_path / "shard.safetensors"
    write_predictions(path, shard)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(ShardError, match="expected a prediction shard"):
        read_predictions(path)


def test_another_format_is_refused(shard: PredictionShard, tmp_path: Path) -> None:
    path = tmp_path / "shard.safetensors"
    save_file({"verts_m": shard.verts_m}, path, {"shard": '{"format": "something-else"}'})
    with pytest.raises(ShardError, match=r"meshcycle-predictions-1, found something-else\. Predict again"):
        read_predictions(path)


@pytest.mark.parametrize(
    ("name", "shape", "found"),
    [
        ("camera", (1, 3), r"camera of 2 hands \(2 x 3\), found 1 x 3"),
        ("camera", (2, 2), r"camera of 2 hands \(2 x 3\), found 2 x 2"),
        ("verts_m", (2, 778), r"verts_m of 2 hands \(2 x 778 x 3\), found 2 x 778"),
        ("joints_m", (2, 16, 3), r"joints_m of 2 hands \(2 x 21 x 3\), found 2 x 16 x 3"),
    ],
)
def test_parts_that_disagree_are_refused(
    shard: PredictionShard, tmp_path: Path, name: str, shape: tuple[int, ...], found: str
) -> None:
    path = tmp_path / "shard.safetensors"
    write_predictions(path, shard)
    tensors = load_file(path) | {name: np.zeros(shape, np.float32)}
    with safe_open(path, framework="numpy") as file:
        save_file(tensors, path, file.metadata())
    with pytest.raises(ShardError, match=found):
        read_predictions(path)


@pytest.mark.parametrize("metadata", ["[]", '{"format": "meshcycle-predictions-1", "sample_ids": 7}', "null"])
def test_metadata_of_another_shape_are_refused(shard: PredictionShard, tmp_path: Path, metadata: str) -> None:
    path = tmp_path / "shard.safetensors"
    save_file({"verts_m": shard.verts_m}, path, {"shard": metadata})
    with pytest.raises(ShardError, match="expected a prediction shard"):
        read_predictions(path)
