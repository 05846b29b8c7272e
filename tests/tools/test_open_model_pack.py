"""Only what is small and predicts alike becomes the open model."""

from pathlib import Path

import pytest

from shared.errors import ExportError
from tests.support.small_hands import SEQUENCE_BACKBONE, small_joint_reader
from tests.support.small_trained import as_trained
from trainer.run.trained import load_trained

pytest.importorskip("tools.open_model", reason="the build tools are not part of an installed package")

from tools.open_model import pack as packing

SECTION = {"name": "joint_reader", "backbone": SEQUENCE_BACKBONE, "channels": 8, "weights": "open"}


def test_a_packed_run_says_how_it_was_trained_and_not_what_it_started_from(tmp_path: Path) -> None:
    path = tmp_path / "open.safetensors"
    report = packing.pack(as_trained(small_joint_reader(), SECTION), path, margin=1.3)
    assert report.num_bytes == path.stat().st_size < packing.MOST_BYTES
    assert 0 < report.greatest_mm < packing.MOST_MM
    trained = load_trained(path, device="cpu")
    assert trained.margin == 1.3
    assert trained.config.model.model_dump(exclude_none=True).get("weights") is None


@pytest.mark.parametrize("limit", ["MOST_BYTES", "MOST_MM"])
def test_what_is_too_large_or_too_different_is_not_kept(
    limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, limit, 1e-9)
    with pytest.raises(ExportError, match="expected"):
        packing.pack(as_trained(small_joint_reader(), SECTION), tmp_path / "open.safetensors", margin=1.3)
    assert list(tmp_path.iterdir()) == []
