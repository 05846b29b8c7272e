"""The bench runs all four contestants on the same pictures, and counts the median of its rounds."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from bg_filter import bench
from bg_filter.bench import bench_filter
from bg_filter.detectors.base import Detection, DetectorSettings
from bg_filter.detectors.yolo import YoloDetector
from bg_filter.pictures import Picture
from shared.images import Rgb
from tests.support.photo_sources import encoded

NUM_PICTURES = 6


def test_a_figure_is_pictures_by_the_median_second_without_the_first_round(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Rounds take 100 s to warm up, then 2, 1 and 9: 3 pictures a second, and 6 where all is halved."""
    now_s = [0.0]

    def taking(share: float) -> Callable[..., None]:
        seconds: Iterator[float] = iter([100.0, 2.0, 1.0, 9.0])

        def run(*_: object) -> None:
            now_s[0] += share * next(seconds)

        return run

    for number in range(NUM_PICTURES):
        (tmp_path / f"{number}.jpg").write_bytes(encoded(seed=number))
    predictors = iter([taking(4.0), taking(2.0)])
    monkeypatch.setattr(
        bench, "YoloDetector", lambda *_, **__: SimpleNamespace(device="cpu", identity="none")
    )
    monkeypatch.setattr(bench, "run_detector", taking(0.5))
    monkeypatch.setattr(bench, "run_filter", taking(1.0))
    monkeypatch.setattr(bench, "yolo_predict", lambda *_, **__: next(predictors))
    monkeypatch.setattr("time.perf_counter", lambda: now_s[0])
    measured = bench_filter([tmp_path], num_pictures=NUM_PICTURES, batch_size=4, rounds=3)
    assert (measured.detector_alone, measured.end_to_end) == pytest.approx((6.0, 3.0))
    assert (measured.yolo_predict, measured.yolo_predict_batched) == pytest.approx((0.75, 1.5))
    ratios = {name: value for name, value in measured.to_json().items() if "over" in name}
    assert ratios == {"end_to_end_over_detector": 0.5, "end_to_end_over_yolo_predict": 4.0}
    assert "end to end                       3.0   1.00 times as fast" in measured.to_text()


def test_every_contestant_sees_every_picture_once_a_round(
    monkeypatch: pytest.MonkeyPatch, assets: Path
) -> None:
    weights = str(assets / "yolo" / "yolov8n.pt")
    seen: dict[str, list[int]] = {"ours": [], "theirs": []}
    detect, export = YoloDetector.detect, bench.export_pictures

    def counting(detector: YoloDetector, pictures: Sequence[Rgb]) -> list[Detection]:
        seen["ours"].append(len(pictures))
        return detect(detector, pictures)

    def exporting(pictures: Sequence[Picture], folder: Path) -> None:
        export(pictures, folder)
        seen["theirs"].append(sum(1 for _ in folder.glob("*.jpg")))

    monkeypatch.setattr(YoloDetector, "detect", counting)
    monkeypatch.setattr(bench, "export_pictures", exporting)
    measured = bench_filter(
        [assets / "scenes" / "people"],
        settings=DetectorSettings(weights=(weights,), input_px=64),
        device="cpu",
        batch_size=4,
        num_pictures=NUM_PICTURES,
        rounds=1,
    )
    assert measured.pictures == NUM_PICTURES
    assert sum(seen["ours"]) == 2 * 2 * NUM_PICTURES  # alone and end to end, in two rounds
    assert seen["theirs"] == [NUM_PICTURES]
    assert "batches of 4 on cpu" in measured.to_text()
