"""The real network on real photographs, and ultralytics kept to itself."""

import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from bg_filter.detectors.base import DetectorSettings
from bg_filter.detectors.weights import WeightsUnavailableError, quiet_ultralytics
from bg_filter.detectors.yolo import YoloDetector
from bg_filter.pictures import Picture
from bg_filter.selection import SelectionRules
from shared.errors import BackgroundError, DeviceError
from shared.images import Rgb
from tests.support.photo_sources import encoded
from tests.support.repository import ROOT


@pytest.fixture(scope="module")
def weights(assets: Path) -> str:
    return str(assets / "yolo" / "yolov8n.pt")


@pytest.fixture(scope="module")
def detector(weights: str) -> YoloDetector:
    return YoloDetector(DetectorSettings(weights=(weights,)), device="cpu")


def pictures_in(folder: Path, *, every: int = 1) -> list[Rgb]:
    decoded = [Picture.decode(path.read_bytes()) for path in sorted(folder.iterdir())[::every]]
    return [picture.rgb for picture in decoded if picture is not None]


def test_every_picture_with_people_is_dropped(detector: YoloDetector, assets: Path) -> None:
    """Forty portraits, selfies and postures, made by the authors of the set to show people."""
    findings = detector.detect(pictures_in(assets / "scenes" / "people"))
    assert len(findings) == 40
    assert min(finding.confidence for finding in findings) > 3 * SelectionRules().threshold


def test_most_pictures_without_people_are_kept(detector: YoloDetector, assets: Path) -> None:
    """Every thirteenth of 624 views of panoramas; some do show passers-by."""
    findings = detector.detect(pictures_in(assets / "scenes" / "photos", every=13))
    kept = [finding for finding in findings if finding.confidence < SelectionRules().threshold]
    assert len(kept) > 0.7 * len(findings)


def test_most_hands_without_a_body_are_found(detector: YoloDetector, assets: Path) -> None:
    """The hardest case and the one that matters: every eighth of 292 photographs of a hand alone."""
    hands = pictures_in(assets / "realhands" / "data" / "evaluation" / "rgb", every=8)
    findings = detector.detect(hands)
    found = [finding for finding in findings if finding.confidence >= SelectionRules().threshold]
    assert len(found) > 0.85 * len(findings)


def test_findings_agree_with_ultralytics_own_prediction(
    detector: YoloDetector, weights: str, assets: Path
) -> None:
    """Its letterbox and its suppression of boxes differ a little; the best box is the same person."""
    pictures = pictures_in(assets / "scenes" / "people", every=8)
    with quiet_ultralytics():
        model = importlib.import_module("ultralytics").YOLO(weights)
    for picture, finding in zip(pictures, detector.detect(pictures), strict=True):
        bgr = np.ascontiguousarray(picture[..., ::-1])
        with quiet_ultralytics():
            (result,) = model.predict(bgr, imgsz=320, classes=[0], verbose=False, device="cpu")
        best = result.boxes.conf.argmax()
        assert finding.confidence == pytest.approx(float(result.boxes.conf[best]), abs=0.03)
        np.testing.assert_allclose(finding.box, result.boxes.xyxyn[best].numpy(), atol=0.02)


def test_a_finding_does_not_depend_on_the_other_pictures(detector: YoloDetector, assets: Path) -> None:
    pictures = pictures_in(assets / "scenes" / "people", every=13)
    together = detector.detect(pictures)
    for picture, finding in zip(pictures, together, strict=True):
        (alone,) = detector.detect([picture])
        np.testing.assert_allclose(alone.box, finding.box, atol=1e-3)
        assert alone.confidence == pytest.approx(finding.confidence, abs=1e-3)


def test_the_most_confident_of_several_networks_decides(weights: str, assets: Path) -> None:
    pictures = pictures_in(assets / "scenes" / "people", every=13)
    both = (weights, str(assets / "yolo" / "yolov5nu.pt"))
    alone = [YoloDetector(DetectorSettings(weights=(each,)), device="cpu").detect(pictures) for each in both]
    together = YoloDetector(DetectorSettings(weights=both), device="cpu")
    for first, second, finding in zip(*alone, together.detect(pictures), strict=True):
        assert finding.confidence == pytest.approx(max(first.confidence, second.confidence), abs=1e-4)
    assert "yolov8n.pt sha256:" in together.identity
    assert "yolov5nu.pt sha256:" in together.identity


@pytest.mark.parametrize("architecture", ["yolov8n", "rtdetr-l"])
def test_a_side_that_is_no_multiple_of_the_stride_is_padded(architecture: str, tmp_path: Path) -> None:
    settings = replace(untrained(architecture, tmp_path), input_px=70)
    (finding,) = YoloDetector(settings, device="cpu").detect([np.zeros((40, 70, 3), np.uint8)])
    assert 0 <= finding.confidence < 0.5


def test_other_classes_can_count_as_well(weights: str) -> None:
    settings = DetectorSettings(weights=(weights,), classes=("person", "dog"))
    assert YoloDetector(settings, device="cpu").identity.endswith(" person/dog")


def test_a_class_that_no_network_knows_is_reported(weights: str) -> None:
    with pytest.raises(BackgroundError, match="expected a detector of hand, found the classes person"):
        YoloDetector(DetectorSettings(weights=(weights,), classes=("hand",)), device="cpu")


def untrained(architecture: str, folder: Path) -> DetectorSettings:
    """Save a network with random weights; its classes are called 0, 1, 2, ..."""
    with quiet_ultralytics():
        kind = "RTDETR" if architecture.startswith("rtdetr") else "YOLO"
        model = getattr(importlib.import_module("ultralytics"), kind)(f"{architecture}.yaml")
        model.save(folder / "untrained.pt")
    return DetectorSettings(weights=(str(folder / "untrained.pt"),), classes=("0",))


def test_a_network_that_also_finds_outlines_will_do(tmp_path: Path) -> None:
    picture = Picture.decode(encoded())
    assert picture is not None
    (finding,) = YoloDetector(untrained("yolo11n-seg", tmp_path), device="cpu").detect([picture.rgb])
    assert 0 <= finding.confidence < 0.1


def test_a_network_that_finds_no_objects_is_reported_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(BackgroundError, match="expected a network that finds objects"):
        YoloDetector(untrained("yolov8n-cls", tmp_path), device="cpu")


def exported(weights: str, folder: Path, **options: Any) -> DetectorSettings:
    """Export a copy of a network to a format of inference."""
    copy = shutil.copy(weights, folder)
    with quiet_ultralytics():
        path = importlib.import_module("ultralytics").YOLO(copy).export(**options, verbose=False)
    return DetectorSettings(weights=(str(path),))


@pytest.fixture(scope="module")
def square_people(assets: Path) -> list[Rgb]:
    """Most exports take squares only, so square pictures are seen in the same frame."""
    return [picture[:256, :256] for picture in pictures_in(assets / "scenes" / "people", every=7)]


def assert_same_findings(first: YoloDetector, second: YoloDetector, pictures: Sequence[Rgb]) -> None:
    for one, other in zip(first.detect(pictures), second.detect(pictures), strict=True):
        assert one.confidence == pytest.approx(other.confidence, abs=1e-3)
        np.testing.assert_allclose(one.box, other.box, atol=1e-3)


@pytest.mark.filterwarnings("ignore")  # PyTorch has much to say about tracing
def test_an_export_finds_the_same_people(
    detector: YoloDetector, weights: str, square_people: list[Rgb], tmp_path: Path
) -> None:
    settings = exported(weights, tmp_path, format="torchscript", imgsz=320)
    assert_same_findings(detector, YoloDetector(settings, device="cpu"), square_people)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("options", "frame"),
    [
        ({"imgsz": 320}, "320 px"),
        ({"imgsz": 320, "batch": 4}, "320 px"),
        ({"imgsz": 320, "dynamic": True}, "320 px"),
        ({"imgsz": [320, 384]}, "320x384 px"),
    ],
)
def test_an_onnx_export_finds_the_same_people_in_the_frames_that_it_takes(
    detector: YoloDetector,
    weights: str,
    square_people: list[Rgb],
    tmp_path: Path,
    options: dict[str, Any],
    frame: str,
) -> None:
    """Of one picture at a time, of a fixed batch, of any size, and of an oblong frame."""
    pytest.importorskip("onnxruntime", reason="needs meshcycle[export]")
    onnx = YoloDetector(exported(weights, tmp_path, format="onnx", **options), device="cpu")
    assert onnx.identity.startswith(f"{frame}: yolov8n.onnx sha256:")
    if frame == "320 px":
        assert_same_findings(detector, onnx, square_people)
    else:  # the same scale, with more grey beside it
        for one, other in zip(detector.detect(square_people), onnx.detect(square_people), strict=True):
            assert one.confidence == pytest.approx(other.confidence, abs=0.15)


@pytest.mark.filterwarnings("ignore")
def test_an_export_that_drops_doubtful_boxes_itself_is_reported(weights: str, tmp_path: Path) -> None:
    """It drops what is below 0.25, so that a lower threshold would find nothing more."""
    pytest.importorskip("onnxruntime", reason="needs meshcycle[export]")
    settings = exported(weights, tmp_path, format="onnx", imgsz=64, nms=True)
    with pytest.raises(BackgroundError, match="Export it without nms=True"):
        YoloDetector(settings, device="cpu")


def test_too_large_a_batch_for_the_gpu_is_reported(
    detector: YoloDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr("bg_filter.detectors.yolo._paste", refuse)
    with pytest.raises(DeviceError, match="Give a smaller --batch-size"):
        detector.detect([np.zeros((8, 8, 3), np.uint8)])


def test_missing_weights_are_reported() -> None:
    with pytest.raises(BackgroundError, match=r"mine\.pt: expected a file .* Check --weights"):
        YoloDetector(DetectorSettings(weights=("mine.pt",)), device="cpu")


def test_a_file_that_is_no_network_is_reported(tmp_path: Path) -> None:
    (tmp_path / "broken.pt").write_bytes(b"not a network")
    with pytest.raises(BackgroundError, match="Give other --weights"):
        YoloDetector(DetectorSettings(weights=(str(tmp_path / "broken.pt"),)), device="cpu")


def test_a_failed_download_says_which_option_helps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with quiet_ultralytics():
        from ultralytics.utils import downloads

    def refuse(file: Path) -> str:
        raise ConnectionError(f"no way to {file.name}.")

    monkeypatch.setenv("MESHCYCLE_CACHE", str(tmp_path))
    monkeypatch.setattr(downloads, "attempt_download_asset", refuse)
    with pytest.raises(WeightsUnavailableError, match=r"no way to yolov8s\.pt\. Give a file with --weights"):
        YoloDetector(DetectorSettings(weights=("yolov8s.pt",)), device="cpu")


def test_an_engine_without_its_runtime_is_reported(tmp_path: Path) -> None:
    (tmp_path / "people.engine").write_bytes(b"not an engine")
    with pytest.raises(BackgroundError, match="found a problem"):
        YoloDetector(DetectorSettings(weights=(str(tmp_path / "people.engine"),)), device="cpu")


def test_an_export_without_its_runtime_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    (tmp_path / "people.onnx").write_bytes(b"not a network")
    with pytest.raises(BackgroundError, match=r"Install meshcycle\[export\]"):
        YoloDetector(DetectorSettings(weights=(str(tmp_path / "people.onnx"),)), device="cpu")


@pytest.mark.parametrize("device", ["cuda:99", "toaster"])
def test_a_missing_device_is_reported(device: str, weights: str) -> None:
    with pytest.raises(DeviceError, match=f"--device {device}"):
        YoloDetector(DetectorSettings(weights=(weights,)), device=device)


def test_ultralytics_neither_writes_settings_nor_sends_nor_changes_variables(
    weights: str, tmp_path: Path
) -> None:
    """It does all of that on a plain import."""
    code = f"""
import os, socket
before = dict(os.environ)
looked_up = []
socket.getaddrinfo = lambda *where, **_: looked_up.append(where)
from bg_filter.detectors.yolo import YoloDetector
from bg_filter.detectors.base import DetectorSettings
YoloDetector(DetectorSettings(weights=({weights!r},)), device="cpu")
from ultralytics.utils import AUTOINSTALL
from ultralytics.utils.events import events
assert not events.enabled and not AUTOINSTALL and not looked_up
assert dict(os.environ) == before, set(os.environ) ^ set(before)
"""
    home = {name: str(tmp_path) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **home, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == done.stderr == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("detector")
def test_a_broken_picture_is_still_just_broken_next_to_ultralytics() -> None:
    """It replaces Pillow's `open` by one that installs a package for files that cannot be opened."""
    assert Image.open.__module__ == "PIL.Image"
    assert Picture.decode(b"\xff\xd8\xff and nothing more") is None


def test_a_small_picture_is_as_good_as_any(detector: YoloDetector) -> None:
    tiny = Picture.decode(encoded(size=(3, 1), codec="PNG"))
    assert tiny is not None
    (finding,) = detector.detect([tiny.rgb])
    assert 0 <= finding.confidence <= 1
    assert all(0 <= edge <= 1 for edge in finding.box)
