"""The bench does what predict does, with both runtimes, and its parts add up."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.support.small_trained import tiny_trained
from trainer.bench.predict import bench_predict
from trainer.photographs.finders import GivenBoxes

pytest.importorskip("onnxscript", reason="needs the extra export")


def test_both_runtimes_are_measured_and_parts_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHCYCLE_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    paths = [tmp_path / f"{number}.jpg" for number in range(2)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8)).save(path)
    finder = GivenBoxes([(5, 5, 20, 20), (30, 5, 20, 20)], ["right"], margin=1.3)
    threads = torch.get_num_threads()
    result = bench_predict(tiny_trained(), paths, lambda _: finder, cores=[1])
    assert torch.get_num_threads() == threads
    assert [(row.runtime, row.cores, row.hands) for row in result.rows] == [
        ("torch", 1, 4),
        ("onnx", 1, 4),
    ]
    for row in result.rows:
        assert all(value >= 0 for value in row.ms.values())
        needed = sum(row.ms[part] for part in ("decode", "find", "crop", "network", "place", "json"))
        assert row.pictures_per_processor_s == pytest.approx(1000 / needed)
        assert row.pictures_per_s > 0
        assert 0 < row.networks_share < 1
    assert "4 hands in 2 pictures" in result.to_text()
