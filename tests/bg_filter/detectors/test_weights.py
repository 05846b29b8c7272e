"""Where published weights are kept."""

from pathlib import Path

import pytest

from bg_filter.detectors.weights import quiet_ultralytics, weights_file


def test_downloaded_weights_are_kept_in_the_cache_that_the_user_names(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with quiet_ultralytics():
        from ultralytics.utils import downloads

    monkeypatch.setenv("MESHCYCLE_CACHE", str(tmp_path / "named"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other"))
    asked: list[Path] = []
    monkeypatch.setattr(downloads, "attempt_download_asset", asked.append)
    assert weights_file("yolov8s.pt") == tmp_path / "named" / "yolov8s.pt"
    assert asked == [tmp_path / "named" / "yolov8s.pt"]
