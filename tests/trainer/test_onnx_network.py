"""Networks that ONNX Runtime computes answer as PyTorch does, and are made once."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from shared.errors import ExportError
from shared.storage.cache import cache_folder
from tests.support.small_hands import small_joint_reader
from tests.support.small_trained import INPUT_PX, as_trained, tiny_trained
from trainer import onnx_network
from trainer.evaluation.predict import predict_crops
from trainer.networks.base import HandNetwork
from trainer.onnx_network import with_onnx_runtime
from trainer.run.trained import TrainedHand

pytest.importorskip("onnxscript", reason="needs the extra export")

pytestmark = pytest.mark.slow  # the exporter


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHCYCLE_CACHE", str(tmp_path))


def trained_reader() -> TrainedHand:
    torch.manual_seed(0)
    network: HandNetwork = small_joint_reader()
    network.tries_turns = True
    return as_trained(network)


@pytest.mark.parametrize("make", [tiny_trained, trained_reader], ids=["regressor", "four turns"])
def test_onnx_runtime_answers_as_pytorch_for_any_batch(make: Callable[[], TrainedHand]) -> None:
    trained = make()
    fast = with_onnx_runtime(trained, threads=1)
    assert fast.network.tries_turns == trained.network.tries_turns
    for batch in (1, 3):
        shape = (batch, INPUT_PX, INPUT_PX, 3)
        rgb = torch.from_numpy(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))
        expected, found = (predict_crops(each.network, rgb) for each in (trained, fast))
        assert (found.spreads_ndc is None) == (not trained.network.tries_turns)
        for ours, theirs in zip(found, expected, strict=True):
            if ours is not None and theirs is not None:
                np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_networks_with_other_weights_have_files_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Path] = []

    def write(_: torch.nn.Module, path: Path, **__: object) -> None:
        written.append(path)
        path.write_bytes(b"network")

    monkeypatch.setattr(onnx_network, "write_onnx", write)
    monkeypatch.setattr(onnx_network, "require_equal", lambda *_, **__: None)
    monkeypatch.setattr(onnx_network, "open_network", lambda *_, **__: lambda images: [images])
    other = tiny_trained()
    with torch.no_grad():
        next(other.network.parameters()).add_(1)
    for trained in (tiny_trained(), tiny_trained(), other):
        with_onnx_runtime(trained, threads=1)
    assert len(written) == len(list(cache_folder("onnx").glob("hand-*.onnx"))) == 2


def test_a_file_that_computes_something_else_is_refused_and_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_network, "TOLERANCE", -1.0)
    with pytest.raises(ExportError, match="expected outputs within"):
        with_onnx_runtime(tiny_trained(), threads=1)
    assert not list(cache_folder("onnx").glob("*.onnx"))


def test_a_kept_file_of_other_code_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key knows weights and configuration, not what the network's code makes of them."""
    written: list[str] = []

    def write(_: torch.nn.Module, path: Path, **__: object) -> None:
        written.append(path.name)
        path.write_text(f"network {len(written)}")

    equal = iter((True, True, False, True, False, True, True))  # after writing, and whenever it is opened

    def compare(path: Path, *_: object, **__: object) -> None:
        if not next(equal):
            raise ExportError(path.name)

    monkeypatch.setattr(onnx_network, "write_onnx", write)
    monkeypatch.setattr(onnx_network, "require_equal", compare)
    monkeypatch.setattr(onnx_network, "open_network", lambda *_, **__: lambda images: [images])
    trained = tiny_trained()
    for times in (1, 2, 3, 3):
        with_onnx_runtime(trained, threads=1)
        (kept,) = cache_folder("onnx").glob("*.onnx")
        assert kept.read_text() == f"network {times}"
