"""The hand finder finds the same hands with ONNX Runtime."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from bg_filter.detectors import own_hands_onnx
from bg_filter.detectors.own_hands import WEIGHTS, OwnHandFinder, load_network
from bg_filter.detectors.own_hands_onnx import open_finder_network
from shared.errors import BackgroundError
from shared.images import Rgb
from shared.storage.cache import cache_folder

pytest.importorskip("onnxscript", reason="needs the extra export")

pytestmark = pytest.mark.slow  # the exporter


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHCYCLE_CACHE", str(tmp_path))


def blobs(rows: int, columns: int) -> Rgb:
    """Soft spots in the colours of skin, which the finder is not sure about."""
    rng = np.random.default_rng(rows)
    noise = cv2.GaussianBlur(rng.normal(size=(rows, columns, 3)).astype(np.float32), (0, 0), 12)
    spots: Rgb = np.clip(128 + 900 * noise * (1.0, 0.75, 0.6), 0, 255).astype(np.uint8)
    return spots


def test_the_same_hands_are_found_in_pictures_of_any_shape() -> None:
    ours, theirs = (
        OwnHandFinder(margin=1.3, confidence=0.002, device="cpu", runtime=runtime)
        for runtime in ("onnx", "torch")
    )
    for rows, columns in ((240, 320), (300, 120), (64, 64)):
        found, expected = ours.detect(blobs(rows, columns)), theirs.detect(blobs(rows, columns))
        assert [hand.side for hand in found] == [hand.side for hand in expected]
        assert expected
        for hand, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(hand.box, other.box, atol=0.05)
            assert hand.confidence == pytest.approx(other.confidence, abs=1e-4)


def test_a_file_that_computes_something_else_is_refused_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_hands_onnx, "TOLERANCE", -1.0)
    with pytest.raises(BackgroundError, match="expected boxes within"):
        open_finder_network(load_network(WEIGHTS), WEIGHTS)
    assert not list(cache_folder("onnx").glob("*.onnx"))
