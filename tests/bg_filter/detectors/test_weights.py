"""Where published weights are kept."""

from importlib import import_module
from pathlib import Path

import pytest
import torch

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


def test_a_process_has_as_many_threads_after_ultralytics_as_before() -> None:
    """Its own prediction sets PyTorch to one thread less than there are cores, and leaves it so."""
    before = torch.get_num_threads()
    with quiet_ultralytics():
        torch.set_num_threads(before + 1)
        import_module("ultralytics.utils.torch_utils").select_device("cpu")
    assert torch.get_num_threads() == before
