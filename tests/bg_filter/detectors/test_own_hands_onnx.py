"""The hand finder finds the same hands with ONNX Runtime."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bg_filter.detectors import own_hands_onnx
from bg_filter.detectors.own_hands import WEIGHTS, OwnHandFinder, load_network
from bg_filter.detectors.own_hands_onnx import open_finder_network
from shared.errors import ExportError
from shared.storage.cache import cache_folder
from tests.support.repository import ROOT

pytest.importorskip("onnxscript", reason="needs the extra export")

PHOTOGRAPHS = ROOT / "docs/photographs"

pytestmark = pytest.mark.slow  # the exporter


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHCYCLE_CACHE", str(tmp_path))


@pytest.mark.skipif(not PHOTOGRAPHS.is_dir(), reason="docs/ is not part of an installed package")
def test_the_same_hands_are_found_in_pictures_of_any_shape() -> None:
    ours, theirs = (OwnHandFinder(margin=1.3, device="cpu", runtime=name) for name in ("onnx", "torch"))
    for name, size in (("a", (320, 240)), ("b", (150, 200)), ("c", (96, 96))):
        with Image.open(PHOTOGRAPHS / f"{name}.jpg") as photograph:
            rgb = np.array(photograph.convert("RGB").resize(size))
        found, expected = ours.detect(rgb), theirs.detect(rgb)
        assert expected
        assert [hand.side for hand in found] == [hand.side for hand in expected]
        for hand, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(hand.box, other.box, atol=0.05)
            assert hand.confidence == pytest.approx(other.confidence, abs=1e-4)


def test_a_file_that_computes_something_else_is_refused_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_hands_onnx, "TOLERANCE", -1.0)
    with pytest.raises(ExportError, match="expected outputs within"):
        open_finder_network(load_network(WEIGHTS), WEIGHTS)
    assert not list(cache_folder("onnx").glob("*.onnx"))
