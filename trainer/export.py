"""A trained network as one ONNX file, checked against PyTorch before anybody else sees it.

    input    images    batch x 3 x S x S, float32: crops, normalised as the metadata says
    outputs  verts_m   batch x V x 3, metres relative to the wrist, camera axes
             joints_m  batch x 21 x 3, in the same frame
             camera    batch x 3: scale, tx_m, ty_m of the crop's camera; ndc = scale (xy + t)

The batch may have any size. Metadata: ``format``; ``input_px``, which is S; ``crop`` (JSON: how much of the
middle of a square photograph of a right hand); ``normalisation`` (JSON: ``(scale * byte - mean) / sd`` per
channel of red, green, blue); ``frame``; ``network`` (JSON, its table of the configuration); ``hand_model``
(JSON: name and hash); and ``weights_sha256``.
"""

import importlib
import json
import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from shared.errors import ExportError
from shared.onnx_runtime import INPUT, greatest_differences, require_onnx_packages
from shared.storage.files import sha256_of
from shared.storage.outputs import write_output
from trainer.data.dataset import IMAGENET_MEAN, IMAGENET_SD
from trainer.evaluation.predict import at_the_origin
from trainer.networks.base import HandNetwork
from trainer.networks.weights.packed import FRAME
from trainer.run.trained import TrainedHand

FORMAT = "meshcycle-onnx-1"
OUTPUTS = ("verts_m", "joints_m", "camera")
TOLERANCE = 1e-4
"""Metres for points; the camera's scale is about 8 and its shifts are metres."""

_TRACED_BATCH = 2
_CHECKED_BATCHES = (1, 3)
_OPSET = 18


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was exported, and how far it is from PyTorch.

    Attributes:
        path: The file.
        num_bytes: Its size.
        differences: Greatest absolute difference of each output.
        tolerance: What is allowed.
    """

    path: Path
    num_bytes: int
    differences: dict[str, float]
    tolerance: float

    def to_text(self) -> str:
        """Return the differences in a line."""
        found = ", ".join(f"{name} {value:.1e}" for name, value in self.differences.items())
        return (
            f"{self.path}: {self.num_bytes / 1e6:.1f} MB; greatest difference to PyTorch: {found} "
            f"(allowed: {self.tolerance:.0e})"
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


class Deployed(nn.Module):
    """A network whose hands have their wrist at the origin, without what only training needs."""

    def __init__(self, network: HandNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> tuple[Tensor, Tensor, Tensor]:
        """Predict one hand per crop."""
        hand = at_the_origin(self.network(images))
        return hand.verts_m, hand.joints_m, hand.camera


def export_onnx(trained: TrainedHand, path: Path, *, tolerance: float = TOLERANCE) -> ExportReport:
    """Write a trained network as ONNX, once ONNX Runtime has shown that it computes the same.

    Args:
        trained: The network; it is exported from the CPU, in 32 bits.
        path: The file; it appears only after the check.
        tolerance: Greatest absolute difference of any output.

    Raises:
        ConfigError: The packages of the extra ``export`` are not installed.
        ExportError: The outputs differ by more.
    """
    require_onnx_packages()
    network = trained.network.to("cpu").eval()
    input_px = trained.config.data.input_px
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "network.onnx"
        deployed = Deployed(network).eval()
        write_onnx(deployed, draft, input_px=input_px, metadata=_metadata(trained))
        found = greatest_differences(draft, partial(answers_of, deployed), random_crops(input_px))
        differences = dict(zip(OUTPUTS, found, strict=True))
        worst = float(np.max(found))
        if not worst <= tolerance:
            raise ExportError(
                f"{path}: expected outputs within {tolerance:.0e} of PyTorch's, found {worst:.1e}.",
                remedy="Raise --tolerance if that is close enough for you.",
            )
        write_output(path, [draft.read_bytes()])
    return ExportReport(path, path.stat().st_size, differences, tolerance)


def answers_of(network: nn.Module, images: Float[np.ndarray, "batch 3 height width"]) -> list[np.ndarray]:
    """Return the outputs of a module that returns a tuple."""
    with torch.inference_mode():
        return [each.numpy() for each in network(torch.from_numpy(images))]


def random_crops(input_px: int) -> Iterator[Float[np.ndarray, "batch 3 height width"]]:
    """Give batches to try a file on, of other sizes than the one that was traced."""
    generator = torch.Generator().manual_seed(0)
    for batch in _CHECKED_BATCHES:
        yield torch.randn(batch, 3, input_px, input_px, generator=generator).numpy()


def write_onnx(
    network: nn.Module,
    path: Path,
    *,
    input_px: int,
    metadata: dict[str, str],
    outputs: Sequence[str] = OUTPUTS,
) -> None:
    """Trace a network for batches of any size, and write it as ONNX without comparing it."""
    onnx = importlib.import_module("onnx")
    images = torch.zeros(_TRACED_BATCH, 3, input_px, input_px)
    with _quiet_exporter():
        program = torch.onnx.export(
            network,
            (images,),
            input_names=[INPUT],
            output_names=list(outputs),
            dynamic_shapes={INPUT: {0: torch.export.Dim("batch")}},
            opset_version=_OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None, "the exporter returns a program unless it writes a file"
    model = program.model_proto
    onnx.helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    onnx.save_model(model, path)


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Hide what the exporter says about its own insides, and nothing else."""
    logs = [logging.getLogger(name) for name in ("onnxscript", "onnx_ir")]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.ERROR)  # "Skipping constant folding for op Split", once per attention
    try:
        with warnings.catch_warnings():
            # PyTorch 2.12 copies tree specs in a way that it has itself deprecated.
            warnings.filterwarnings(
                "ignore", r"`isinstance\(treespec, LeafSpec\)` is deprecated", FutureWarning
            )
            yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)


def _metadata(trained: TrainedHand) -> dict[str, str]:
    data = trained.config.data
    return {
        "format": FORMAT,
        "input_px": str(data.input_px),
        "crop": json.dumps({"crop_px": data.main_crop_px, "photograph_px": trained.image_px}),
        "normalisation": json.dumps({"scale": 1 / 255, "mean": IMAGENET_MEAN, "sd": IMAGENET_SD}),
        "frame": FRAME,
        "network": trained.config.model.model_dump_json(),
        "hand_model": json.dumps({"name": trained.hand_model.name, "sha256": trained.hand_model.sha256}),
        "weights_sha256": sha256_of(trained.weights_file) if trained.weights_file.exists() else "",
    }
