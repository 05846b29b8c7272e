"""The bench runs all four contestants on the same pictures."""

from pathlib import Path

from bg_filter.bench import bench_filter
from bg_filter.detectors.base import DetectorSettings


def test_every_contestant_gets_a_figure(assets: Path) -> None:
    bench = bench_filter(
        [assets / "scenes" / "people"],
        settings=DetectorSettings(weights=(str(assets / "yolo" / "yolov8n.pt"),), input_px=64),
        device="cpu",
        batch_size=4,
        num_pictures=6,
        rounds=1,
    )
    figures = (bench.end_to_end, bench.detector_alone, bench.yolo_predict, bench.yolo_predict_batched)
    assert all(figure > 0 for figure in figures)
    assert bench.pictures == 6
    assert bench.to_json()["end_to_end_over_detector"] == bench.end_to_end / bench.detector_alone
    assert "batches of 4 on cpu" in bench.to_text()
