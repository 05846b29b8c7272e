"""The bench does what predict does, with both runtimes, and its parts add up."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.support.small_trained import INPUT_PX, tiny_trained
from trainer.bench.predict import OnnxNetwork, bench_predict
from trainer.evaluation.predict import predict_crops
from trainer.export import export_onnx
from trainer.photographs.finders import GivenBoxes

pytest.importorskip("onnxscript", reason="needs the extra export")


def test_both_runtimes_are_measured_and_parts_add_up(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{number}.jpg" for number in range(2)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(path)
    finder = GivenBoxes([(5, 5, 20, 20), (30, 5, 20, 20)], ["right"], margin=1.3)
    threads = torch.get_num_threads()
    result = bench_predict(tiny_trained(), paths, finder, cores=[1])
    assert torch.get_num_threads() == threads
    assert [(row.runtime, row.cores, row.hands) for row in result.rows] == [
        ("pytorch", 1, 4),
        ("onnxruntime", 1, 4),
    ]
    for row in result.rows:
        assert all(value >= 0 for value in row.ms.values())
        needed = sum(row.ms[part] for part in ("decode", "find", "crop", "network", "place", "json"))
        assert row.pictures_per_s == pytest.approx(1000 / needed)
        assert 0 < row.networks_share < 1
    assert "4 hands in 2 pictures" in result.to_text()


def test_onnx_runtime_answers_as_pytorch(tmp_path: Path) -> None:
    trained = tiny_trained()
    export_onnx(trained, tmp_path / "hand.onnx")
    shape = (3, INPUT_PX, INPUT_PX, 3)
    rgb = torch.from_numpy(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
    expected = predict_crops(trained.network, rgb)
    found = predict_crops(OnnxNetwork(tmp_path / "hand.onnx", threads=1), rgb)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
