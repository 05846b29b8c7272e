"""The hand finder's network by ONNX Runtime, which is twice as fast as PyTorch on a processor."""

import hashlib
import logging
import warnings
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from bg_filter.detectors.letterbox import STRIDE_PX
from bg_filter.detectors.weights import quiet_ultralytics
from shared.onnx_runtime import (
    INPUT,
    OpenedNetwork,
    kept_network,
    open_network,
    require_equal,
    require_onnx_packages,
)
from shared.storage.files import sha256_of

TOLERANCE: Final = 0.01
"""Of a box's corner, in pixels of the frame; a score is in [0, 1]."""

_OPSET: Final = 18
_FORMAT: Final = "hand-finder-onnx-1"
_TRACED: Final = (2, 3, 256, 320)
_TRIED: Final = ((1, 3, 320, 192), (2, 3, 160, 160))


def open_finder_network(network: nn.Module, weights: Path) -> OpenedNetwork:
    """Return the finder's network as ONNX Runtime computes it; its file is made once and kept in the cache.

    Args:
        network: As PyTorch computes it, on the CPU.
        weights: The file that it was loaded from.

    Raises:
        ConfigError: The packages of the extra ``export`` are not installed.
        ExportError: ONNX Runtime computes something else.
    """
    require_onnx_packages()

    def write(path: Path) -> None:
        _write(network, path)
        require_equal(path, partial(_boxes, network), _tried(), tolerance=TOLERANCE)

    key = f"{_FORMAT} {torch.__version__} {import_module('ultralytics').__version__} {sha256_of(weights)}"
    path = kept_network("hand-finder", _hashed(key), write)
    return open_network(path, threads=torch.get_num_threads())


def _write(network: nn.Module, path: Path) -> None:
    onnx = import_module("onnx")
    rows, columns = (STRIDE_PX * torch.export.Dim(name) for name in ("rows", "columns"))
    head: Any = network.model[-1]  # type: ignore[index]
    head.dynamic, head.export, head.format = True, True, "onnx"  # one output, for frames of any size
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)  # it misses a number that the head does not use
    try:
        with warnings.catch_warnings(action="ignore"), quiet_ultralytics():
            program = torch.onnx.export(
                _BoxesOnly(network).eval(),
                (torch.zeros(_TRACED),),
                input_names=[INPUT],
                output_names=["boxes"],
                dynamic_shapes={INPUT: {0: torch.export.Dim("batch"), 2: rows, 3: columns}},
                opset_version=_OPSET,
                dynamo=True,
                verbose=False,
            )
    finally:
        log.setLevel(level)
        head.dynamic, head.export, head.format = False, False, None
    assert program is not None, "the exporter returns a program unless it writes a file"
    onnx.save_model(program.model_proto, path)


class _BoxesOnly(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        output: Any = self.network(images)
        boxes: Tensor = output[0] if isinstance(output, tuple | list) else output
        return boxes


@torch.inference_mode()
def _boxes(
    network: nn.Module, frames: Float[np.ndarray, "batch 3 height width"]
) -> list[Float[np.ndarray, "batch numbers boxes"]]:
    return [_BoxesOnly(network)(torch.from_numpy(frames)).numpy()]


def _tried() -> Iterator[Float[np.ndarray, "batch 3 height width"]]:
    for shape in _TRIED:
        yield torch.rand(shape, generator=torch.Generator().manual_seed(0)).numpy()


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
