"""Where everything is on a node, and the environments of its two Pythons."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

OFFLINE: Final = Path(
    os.environ.get("MESHCYCLE_OFFLINE") or Path(tempfile.gettempdir()) / f"meshcycle-offline-{os.getuid()}"
)
PROJECT: Final = OFFLINE / "project"
RESULTS: Final = OFFLINE / "results"
LOGS: Final = OFFLINE / "logs"
UNPACKED: Final = OFFLINE / "unpacked"
DATA: Final = OFFLINE / "data"
SITE: Final = OFFLINE / "render/python/lib/python3.13/site-packages"
RENDER_PYTHON: Final = OFFLINE / "render/python/bin/python3.13"
NOTE: Final = "part.json"
"""File of a part that describes it; see tools/offline_gpu/pack/archives.py."""

_DRIVER: Final = Path("/usr/local/nvidia")
"""Where some clusters mount the driver into containers, out of the loader's sight."""

_DRIVER_FILES: Final = (
    (
        "__EGL_VENDOR_LIBRARY_FILENAMES",
        "share/glvnd/egl_vendor.d/10_nvidia.json",
        "glvnd/egl_vendor.d/*nvidia*",
    ),
    ("VK_DRIVER_FILES", "share/vulkan/icd.d/nvidia_icd.json", "vulkan/icd.d/nvidia*"),
)


def render_env() -> dict[str, str]:
    """Return the environment in which the packed Python finds its libraries, Blender and the GPU's driver."""
    libraries = [str(OFFLINE / "render/python/lib"), str(OFFLINE / "render/lib")]
    if "libstdc++.so.6" not in _known_libraries():
        libraries.append(str(OFFLINE / "render/spare"))
    libraries += [path for path in os.environ.get("LD_LIBRARY_PATH", "").split(":") if path]
    libraries += [str(path) for path in (_DRIVER / "lib64", _DRIVER / "lib") if path.is_dir()]
    env = _common() | {
        "LD_LIBRARY_PATH": ":".join(libraries),
        "PYTHONPATH": str(PROJECT),
        "BLENDER_USER_RESOURCES": str(OFFLINE / "blender"),
        "OPTIX_CACHE_PATH": str(OFFLINE / "cache/optix"),
        "CUDA_CACHE_PATH": str(OFFLINE / "cache/cuda"),
        "CUDA_CACHE_MAXSIZE": str(4 << 30),
    }
    for name, file, system in _DRIVER_FILES:
        there = [path for root in ("/usr/share", "/etc") for path in Path(root).glob(system)]
        if not there and (_DRIVER / file).exists():
            env[name] = str(_DRIVER / file)
    return env


def train_env() -> dict[str, str]:
    """Return the environment in which the node's own Python runs the trainer."""
    return _common() | {
        "PYTHONPATH": f"{PROJECT}:{OFFLINE / 'train'}",
        "TORCH_HOME": str(OFFLINE / "torch-home"),
        "HF_HUB_OFFLINE": "1",
        "MESHCYCLE_CACHE": str(OFFLINE / "cache/meshcycle"),
        "TORCHINDUCTOR_CACHE_DIR": str(OFFLINE / "cache/inductor"),
        "TRITON_CACHE_DIR": str(OFFLINE / "cache/triton"),
    }


def _common() -> dict[str, str]:
    ours = {"MESHCYCLE_OFFLINE": str(OFFLINE), "PYTHONUNBUFFERED": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    return {**os.environ, **ours}


def _known_libraries() -> set[str]:
    ldconfig = shutil.which("ldconfig", path="/sbin:/usr/sbin:/bin:/usr/bin")
    if ldconfig is None:
        return set()
    printed = subprocess.run([ldconfig, "-p"], capture_output=True, text=True, check=False).stdout
    return set(re.findall(r"^\s+(\S+) ", printed, re.M))
