"""Networks computed by ONNX Runtime on processors: written once, kept in the cache, opened as functions."""

import importlib
import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from shared.errors import ConfigError, ExportError
from shared.storage.cache import cache_folder
from shared.storage.files import written_aside
from shared.storage.lock import alone_with

PACKAGES: Final = ("onnx", "onnxscript", "onnxruntime")
"""What the extra ``export`` installs."""
INPUT: Final = "images"

logger = logging.getLogger(__name__)

type OpenedNetwork = Callable[[Float[np.ndarray, "batch 3 height width"]], list[np.ndarray]]
"""Maps pictures to the outputs of a network, in 32 bits."""


def require_onnx_packages() -> None:
    """Raise a `ConfigError` unless the packages of the extra ``export`` can be imported."""
    missing = []
    for name in PACKAGES:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            missing.append(name)
    if missing:
        raise ConfigError(
            f"export: expected {', '.join(PACKAGES)}, found no {', '.join(missing)}.",
            remedy="Install them with pip install 'meshcycle[export]'.",
        )


def open_network(path: Path, *, threads: int) -> OpenedNetwork:
    """Return the function that a file is.

    Args:
        path: ONNX, with one input named `INPUT`.
        threads: That one call may use; they sleep between calls.
    """
    runtime = importlib.import_module("onnxruntime")
    options: Any = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session: Any = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(images: Float[np.ndarray, "batch 3 height width"]) -> list[np.ndarray]:
        answers: list[np.ndarray] = session.run(None, {INPUT: images})
        return answers

    return run


type Expected = Callable[[Float[np.ndarray, "batch 3 height width"]], Sequence[np.ndarray]]
"""Returns PyTorch's outputs for pictures."""


def greatest_differences(
    path: Path, expected: Expected, pictures: Iterable[Float[np.ndarray, "batch 3 height width"]]
) -> list[float]:
    """Return how far each output of a file is from PyTorch's at most; infinity where shapes differ.

    Args:
        path: Of the network.
        expected: What it should compute.
        pictures: On which both are tried.
    """
    opened = open_network(path, threads=1)
    rows = [
        [_distance(*pair) for pair in zip(opened(each), expected(each), strict=True)] for each in pictures
    ]
    return [float(np.max(column)) for column in zip(*rows, strict=True)]  # NaN stays NaN


def _distance(answer: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(answer - expected).max()) if answer.shape == expected.shape else np.inf


def require_equal(
    path: Path,
    expected: Expected,
    pictures: Iterable[Float[np.ndarray, "batch 3 height width"]],
    *,
    tolerance: float,
) -> None:
    """Make sure that a file computes what PyTorch does.

    Args:
        path: Of the network.
        expected: What it should compute.
        pictures: On which both are tried.
        tolerance: By which an output may differ.

    Raises:
        ExportError: It computes something else.
    """
    worst = float(np.max(greatest_differences(path, expected, pictures)))
    if not worst <= tolerance:
        raise ExportError(
            f"{path.name}: expected outputs within {tolerance:g} of PyTorch's, found {worst:.1e}.",
            remedy="Leave --runtime out.",
        )


def kept_network(name: str, key: str, write: Callable[[Path], None]) -> Path:
    """Return a network's file in the user's cache directory, which is written first if it is not there.

    Processes wait for each other, so only the first one writes.

    Args:
        name: Of the network, for people.
        key: Changes with whatever changes the file.
        write: Writes it.
    """
    path = cache_folder("onnx") / f"{name}-{key[:32]}.onnx"
    if not path.exists():
        with alone_with(path.with_suffix(".lock")):
            if not path.exists():
                logger.info("Preparing the network %s for ONNX Runtime, once.", name)
                with written_aside(path) as draft:
                    write(draft)
    return path
