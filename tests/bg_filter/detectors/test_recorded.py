"""Recorded verdicts say what they are, and answer for the pictures they were made of alone."""

from pathlib import Path

import pytest

from bg_filter import filter as filter_module
from bg_filter.detectors.base import Detection, DetectorSettings
from bg_filter.detectors.recorded import RecordedDetector, recording_of
from bg_filter.detectors.weights import WeightsUnavailableError
from bg_filter.filter import filter_backgrounds
from bg_filter.pictures import Picture
from bg_filter.selection import Outcome
from shared.errors import BackgroundError
from tests.support.photo_sources import encoded, hex_name, write_lmdb

FINDING = Detection(0.75, (0.1, 0.2, 0.3, 0.4))


@pytest.fixture
def recorded() -> RecordedDetector:
    """Knows the pictures of seeds 0 to 2."""
    pictures = [Picture.decode(encoded(seed=seed)) for seed in range(3)]
    rgbs = [picture.rgb for picture in pictures if picture is not None]
    return RecordedDetector(recording_of("a network", [(rgb, FINDING) for rgb in rgbs]))


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, recorded: RecordedDetector) -> None:
    """No weights can be had, and the recording is a small one."""

    def refuse(settings: DetectorSettings, *, device: str) -> None:
        raise WeightsUnavailableError("yolov8n.pt: no network. Give --weights.")

    monkeypatch.setattr("bg_filter.detectors.yolo.YoloDetector", refuse)
    monkeypatch.setattr(filter_module, "RecordedDetector", lambda: recorded)


def test_a_recording_answers_for_its_pictures_and_says_what_it_is(recorded: RecordedDetector) -> None:
    picture = Picture.decode(encoded(seed=1))
    assert picture is not None
    assert recorded.detect([picture.rgb]) == [FINDING]
    assert recorded.identity == "recorded a network"


def test_a_picture_that_differs_in_one_value_is_another_picture(recorded: RecordedDetector) -> None:
    picture = Picture.decode(encoded(seed=1))
    assert picture is not None
    other = picture.rgb.copy()
    other[0, 0, 0] += 1
    assert not recorded.knows(other)
    with pytest.raises(BackgroundError, match="found another picture"):
        recorded.detect([other])


def test_an_encoding_without_loss_does_not_matter(recorded: RecordedDetector) -> None:
    picture = Picture.decode(encoded(seed=1))
    assert picture is not None
    assert recorded.knows(picture.rgb.copy())


@pytest.mark.usefixtures("offline")
def test_a_recording_steps_in_for_missing_weights_and_the_report_says_so(tmp_path: Path) -> None:
    source = write_lmdb(tmp_path / "demo_lmdb", {hex_name(seed): encoded(seed=seed) for seed in range(3)})
    report = filter_backgrounds([source], tmp_path / "out")
    assert report.is_recorded
    assert report.detector == "recorded a network"
    assert report.selection.outcomes[Outcome.PERSON] == 3


@pytest.mark.usefixtures("offline")
def test_one_unknown_picture_makes_missing_weights_an_error(tmp_path: Path) -> None:
    source = write_lmdb(tmp_path / "demo_lmdb", {hex_name(seed): encoded(seed=seed) for seed in range(4)})
    with pytest.raises(WeightsUnavailableError, match="Give --weights"):
        filter_backgrounds([source], tmp_path / "out")
    assert not (tmp_path / "out" / "data.mdb").exists()


@pytest.mark.usefixtures("offline")
def test_a_recording_can_be_asked_for(tmp_path: Path) -> None:
    source = write_lmdb(tmp_path / "demo_lmdb", {hex_name(0): encoded(seed=0), hex_name(1): b"broken"})
    report = filter_backgrounds([source], tmp_path / "out", settings=DetectorSettings(weights=("recorded",)))
    assert report.is_recorded
    assert report.selection.outcomes[Outcome.BAD] == 1
