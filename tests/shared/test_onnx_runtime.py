"""Files of networks that are made once, however many want them."""

import sys
from pathlib import Path

import pytest

from shared.errors import ConfigError
from shared.onnx_runtime import kept_network, require_onnx_packages


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


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match=r"found no .*onnxruntime.*meshcycle\[export\]"):
        require_onnx_packages()
