"""Kernels for GPUs that Blender's wheel lacks: found by name, built by NVIDIA's own assembler."""

import stat
from pathlib import Path

import pytest
import zstandard

from render_worker import checks
from render_worker.blender import cuda_kernels
from render_worker.blender.cuda_kernels import (
    Generation,
    NvidiaGpu,
    build_kernels,
    build_missing_kernels,
    find_assembler,
    kernel_folder,
    kernels_for,
    nvidia_gpus,
)
from shared.errors import ConfigError, DeviceError, RenderError

CUDA_MACHINE = 190
"""What an ELF file says that it runs on: NVIDIA's registered number."""

PTX = """
.version 7.4
.target sm_75
.address_size 64
.visible .entry nothing() { ret; }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Kernels as the wheel has them, but small: PTX for sm_75, machine code for sm_86."""
    compressed = zstandard.ZstdCompressor().compress(PTX.encode())
    (tmp_path / "kernel_compute_75.ptx.zst").write_bytes(compressed)
    (tmp_path / "kernel_sm_86.cubin.zst").touch()
    return tmp_path


@pytest.fixture
def assembler() -> Path:
    try:
        return find_assembler()
    except DeviceError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", ["sm_90", "9.0", " 9.0\n"])
def test_a_generation_has_two_spellings(name: str) -> None:
    assert Generation.parse(name) == (9, 0)
    assert str(Generation.parse(name)) == "sm_90"


def test_two_digits_of_a_major_version_are_kept_together() -> None:
    assert Generation.parse("sm_120") == Generation.parse("12.0") == (12, 0)


def test_another_word_is_no_generation() -> None:
    with pytest.raises(ConfigError, match="hopper: expected a generation of GPUs, found no such name"):
        Generation.parse("hopper")


def test_machine_code_runs_on_later_cards_of_its_major_version_only(folder: Path) -> None:
    """An RTX 4090 (8.9) renders with the kernels of sm_86; an A100 (8.0) and an H100 (9.0) cannot."""
    found = {name: kernels_for(Generation.parse(name), folder) for name in ("8.9", "8.6", "8.0", "9.0")}
    there = folder / "kernel_sm_86.cubin.zst"
    assert found == {"8.9": there, "8.6": there, "8.0": None, "9.0": None}


@pytest.mark.blender
def test_blenders_wheel_lacks_kernels_for_cards_of_data_centres() -> None:
    """If this fails, Blender brings them, and this module may go; in the image they are built on purpose."""
    names = {path.name for path in kernel_folder().glob("kernel_sm_*")} - {
        f"kernel_{made}.cubin.zst" for made in ("sm_80", "sm_90")
    }
    assert "kernel_sm_86.cubin.zst" in names
    assert not names & {f"kernel_sm_{number}.cubin.zst" for number in (80, 90, 100)}
    assert (kernel_folder() / "kernel_compute_75.ptx.zst").exists()


@pytest.mark.parametrize("name", ["sm_80", "sm_90"])
def test_what_was_built_is_machine_code_that_cycles_finds(folder: Path, assembler: Path, name: str) -> None:
    generation = Generation.parse(name)
    built = build_kernels(generation, folder, assembler)
    assert kernels_for(generation, folder) == built.path == folder / f"kernel_{name}.cubin.zst"
    cubin = zstandard.ZstdDecompressor().decompress(built.path.read_bytes())
    assert cubin[:4] == b"\x7fELF"
    assert int.from_bytes(cubin[18:20], "little") == CUDA_MACHINE
    number = int(name.removeprefix("sm_"))
    assert number in cubin[48:52], "the flags of the file name the generation"
    assert {path.name for path in folder.iterdir()} == {
        "kernel_compute_75.ptx.zst",
        "kernel_sm_86.cubin.zst",
        built.path.name,
    }


def test_only_what_is_missing_is_built(
    folder: Path, assembler: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cuda_kernels, "kernel_folder", lambda: folder)
    built = build_missing_kernels(["sm_89", "sm_90", "9.0"], assembler=assembler)
    assert [kernels.path.name for kernels in built.built] == ["kernel_sm_90.cubin.zst"]
    assert "kernel_sm_90.cubin.zst: built in 0 s" in built.to_text()
    again = build_missing_kernels(["sm_89", "sm_90"], assembler=assembler)
    assert again.to_json() == {"built": ()}
    assert again.to_text() == "Blender has kernels for every GPU that was asked for."


def test_without_a_gpu_a_generation_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_kernels, "kernel_folder", lambda: Path())
    monkeypatch.setattr(cuda_kernels, "nvidia_gpus", lambda: ())
    with pytest.raises(DeviceError, match="expected an NVIDIA GPU, found none") as raised:
        build_missing_kernels([])
    assert raised.value.remedy == "Name generations of GPUs, such as sm_90."


def test_an_assembler_that_is_too_old_is_told_in_its_own_words(folder: Path, tmp_path: Path) -> None:
    old = program(tmp_path / "old" / "ptxas", "echo \"ptxas fatal: 'sm_90' is not defined\" >&2; exit 1")
    with pytest.raises(RenderError, match="found that it said: ptxas fatal: 'sm_90' is not defined"):
        build_kernels(Generation(9, 0), folder, old)
    assert kernels_for(Generation(9, 0), folder) is None


def test_gpus_are_those_that_the_driver_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path / "nvidia-smi", "echo 'NVIDIA H100 80GB HBM3, 9.0'; echo 'NVIDIA A100-SXM4-40GB, 8.0'")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert nvidia_gpus() == (
        NvidiaGpu("NVIDIA H100 80GB HBM3", Generation(9, 0)),
        NvidiaGpu("NVIDIA A100-SXM4-40GB", Generation(8, 0)),
    )


def test_a_machine_without_a_driver_has_no_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert nvidia_gpus() == ()


def test_doctor_says_how_long_the_first_picture_takes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = NvidiaGpu("RTX 4090", Generation(8, 9)), NvidiaGpu("H100", Generation(9, 0))
    monkeypatch.setattr(checks, "kernel_folder", lambda: folder)
    monkeypatch.setattr(checks, "nvidia_gpus", lambda: (*card, card[1]))
    ready, missing = checks.gpu_kernels().split("; ", 1)
    assert ready == "RTX 4090 (sm_89): there"
    assert missing.startswith("H100 (sm_90): none, so the driver compiles them for its first picture, about ")
    assert missing.count("H100") == 1
    monkeypatch.setattr(checks, "nvidia_gpus", lambda: ())
    assert checks.gpu_kernels() == "the driver reports no NVIDIA GPU"


def program(path: Path, script: str) -> Path:
    """Write a shell script that can be started."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path
