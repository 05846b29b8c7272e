"""Every network as ONNX: the same numbers for any batch, and a file that explains itself."""

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from cli import main
from shared.errors import ConfigError, ExportError
from shared.onnx_runtime import greatest_differences, require_onnx_packages
from tests.support.small_hands import SMALL_NETWORKS, open_hand
from tests.support.small_trained import INPUT_PX, as_trained, tiny_trained, write_run
from trainer import export as onnx_export
from trainer.evaluation.predict import predict_crops
from trainer.export import OUTPUTS, Deployed, answers_of, export_onnx, random_crops
from trainer.networks.base import HandNetwork

onnx = pytest.importorskip("onnx", reason="needs the extra export")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra export")

pytestmark = pytest.mark.slow

NETWORKS: dict[str, Callable[[], HandNetwork]] = {
    "regressor": lambda: tiny_trained().network,
    **SMALL_NETWORKS,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_computes_the_same_for_batches_of_any_size(name: str, tmp_path: Path) -> None:
    """From bytes to hands, as the metadata say, compared with the path of `meshcycle predict`."""
    trained = as_trained(NETWORKS[name]())
    report = export_onnx(trained, tmp_path / "hand.onnx")
    assert max(report.differences.values()) < 1e-5
    session = onnxruntime.InferenceSession(tmp_path / "hand.onnx", providers=["CPUExecutionProvider"])
    meta = session.get_modelmeta().custom_metadata_map
    rule = json.loads(meta["normalisation"])
    rng = np.random.default_rng(0)
    for batch in (1, 5):
        rgb = rng.integers(0, 256, (batch, INPUT_PX, INPUT_PX, 3), dtype=np.uint8)
        images = ((rgb * rule["scale"] - rule["mean"]) / rule["sd"]).transpose(0, 3, 1, 2).astype(np.float32)
        found = session.run(OUTPUTS, {"images": images})
        predicted = predict_crops(trained.network, torch.from_numpy(rgb))
        for answer, expected in zip(found, predicted[:3], strict=True):
            np.testing.assert_allclose(answer, expected, atol=1e-5)
    assert np.abs(found[1][:, 0]).max() == 0, "the wrist is the origin"
    assert json.loads(meta["hand_model"])["sha256"] == open_hand().sha256
    assert meta["input_px"] == str(INPUT_PX)
    assert json.loads(meta["crop"]) == {"crop_px": 180, "photograph_px": 224}


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the command prints about its file."""
    folder = tmp_path_factory.mktemp("onnx")
    arguments = ["export", "--onnx", str(write_run(folder / "run")), str(folder / "made" / "hand.onnx")]
    result = CliRunner().invoke(main, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def test_the_command_prints_the_differences_and_names_the_weights(said: dict[str, Any]) -> None:
    assert set(said["differences"]) == set(OUTPUTS)
    properties = {entry.key: entry.value for entry in onnx.load(said["path"]).metadata_props}
    assert len(properties["weights_sha256"]) == 64
    assert json.loads(properties["network"])["name"] == "regressor"


def test_the_check_sees_other_weights(said: dict[str, Any]) -> None:
    network = tiny_trained().network
    with torch.no_grad():
        next(iter(network.parameters())).add_(0.5)
    expected = partial(answers_of, Deployed(network).eval())
    assert max(greatest_differences(Path(said["path"]), expected, random_crops(INPUT_PX))) > 1e-5


def test_a_network_that_differs_is_refused_and_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_export, "write_onnx", lambda _, path, **__: path.write_bytes(b"draft"))
    for difference in (2e-4, float("nan")):
        answer = [0.0, difference, 0.0]
        monkeypatch.setattr(onnx_export, "greatest_differences", lambda *_, answer=answer: answer)
        with pytest.raises(ExportError, match=r"within 1e-04 of PyTorch's, found .*--tolerance"):
            export_onnx(tiny_trained(), tmp_path / "hand.onnx")
        assert not (tmp_path / "hand.onnx").exists()


def test_without_the_extra_the_command_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("onnxruntime", "onnxscript"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=r"found no onnxscript, onnxruntime.*meshcycle\[export\]"):
        require_onnx_packages()
    result = CliRunner().invoke(main, ["export", "--onnx", "nowhere", str(tmp_path / "hand.onnx")])
    assert result.exit_code == 2
    assert "meshcycle[export]" in result.stderr
