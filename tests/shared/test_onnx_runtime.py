"""Files of networks that are made once, however many want them."""

import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from shared import onnx_runtime
from shared.errors import ConfigError, ExportError
from shared.onnx_runtime import kept_network, require_equal, require_onnx_packages


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHCYCLE_CACHE", str(tmp_path))


def test_a_network_is_written_once_and_anew_for_another_key() -> None:
    written: list[Path] = []

    def write(path: Path) -> None:
        written.append(path)
        path.write_bytes(b"network")

    first, again, other = (kept_network("hand", key, write) for key in ("a" * 64, "a" * 64, "b" * 64))
    assert first == again != other
    assert (len(written), first.read_bytes()) == (2, b"network")


def test_what_could_not_be_written_is_not_there_the_next_time() -> None:
    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise ZeroDivisionError

    def write(path: Path) -> None:
        path.write_bytes(b"whole")

    with pytest.raises(ZeroDivisionError):
        kept_network("hand", "c" * 64, fail)
    assert kept_network("hand", "c" * 64, write).read_bytes() == b"whole"


@pytest.mark.parametrize(("difference", "is_refused"), [(0.0009, False), (0.002, True), (np.nan, True)])
def test_a_file_that_computes_something_else_is_refused(
    difference: float, is_refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        onnx_runtime, "open_network", lambda *_, **__: lambda pictures: [pictures[0], pictures[1]]
    )

    def expected(pictures: np.ndarray) -> list[np.ndarray]:
        return [pictures[0], pictures[1] + difference]

    refusal = pytest.raises(ExportError, match=r"hand\.onnx: expected outputs within 0\.001 of PyTorch's")
    with refusal if is_refused else nullcontext():
        require_equal(Path("hand.onnx"), expected, [np.zeros((2, 3, 4, 4))], tolerance=0.001)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match=r"found no .*onnxruntime.*meshcycle\[export\]"):
        require_onnx_packages()
