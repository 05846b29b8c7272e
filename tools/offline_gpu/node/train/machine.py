"""Step: what the node is: GPU, driver, versions, and the ceilings that speeds are compared with."""

import importlib.metadata
import os
import platform
import subprocess
import time
from collections.abc import Callable
from typing import Any, Final

import torch

from tools.offline_gpu.node.report import report

_PACKAGES: Final = [
    "torch",
    "torchvision",
    "timm",
    "numpy",
    "scipy",
    "opencv-python-headless",
    "lightning",
    "pytorch-lightning",
    "lightning-fabric",
    "pydantic",
]
_LIBRARIES: Final = ("libcuda.so.1", "libnvoptix", "libEGL", "libGLX_nvidia", "libvulkan", "libX11.so.6")
_DRIVER_FILES: Final = "ls /usr/local/nvidia/lib64 /usr/local/nvidia/share/* 2>/dev/null | tr '\\n' ' '"


def main() -> None:
    """Ask the driver, then multiply and copy for a few seconds."""
    gpu = (
        "nvidia-smi",
        "--query-gpu=name,driver_version,memory.total,clocks.max.sm",
        "--format=csv,noheader",
    )
    libraries = _run("ldconfig", "-p").splitlines()
    found: dict[str, Any] = {
        "nvidia_smi": _run(*gpu),
        "python": platform.python_version(),
        "glibc": " ".join(platform.libc_ver()),
        "kernel": platform.release(),
        "cores": os.cpu_count(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "libraries": [line.strip() for line in libraries if any(name in line for name in _LIBRARIES)],
        "driver_files": _run("sh", "-c", _DRIVER_FILES),
    }
    if not torch.cuda.is_available():
        report(
            found, f"no GPU for PyTorch {torch.__version__}; Python {found['python']}, {found['cores']} cores"
        )
        return
    found["name"] = torch.cuda.get_device_name()
    found["bf16_tflops"] = round(_matmul_tflops(torch.bfloat16, 8192), 1)
    found["fp32_tflops"] = round(_matmul_tflops(torch.float32, 4096), 1)
    found["copy_tb_per_s"] = round(_copy_tb_per_s(), 2)
    report(
        found,
        f"{found['name']}, bf16 {found['bf16_tflops']} TFLOP/s, fp32 {found['fp32_tflops']}, "
        f"copy {found['copy_tb_per_s']} TB/s",
    )


def _matmul_tflops(dtype: torch.dtype, size: int) -> float:
    left, right = (torch.randn(size, size, device="cuda", dtype=dtype) for _ in "ab")
    return 2 * size**3 / _seconds(lambda: left @ right, calls=20) / 1e12


def _copy_tb_per_s() -> float:
    source = torch.randn(1 << 30, device="cuda")
    target = torch.empty_like(source)
    return 2 * source.nbytes / _seconds(lambda: target.copy_(source), calls=10) / 1e12


def _seconds(work: Callable[[], object], *, calls: int) -> float:
    for _ in range(3):
        work()
    torch.cuda.synchronize()
    started_s = time.perf_counter()
    for _ in range(calls):
        work()
    torch.cuda.synchronize()
    return (time.perf_counter() - started_s) / calls


def _run(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout.strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{command[0]}: {error}"


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()
