"""Cycles' CUDA kernels: whether Blender has them for a GPU, and how to build those that its wheel lacks.

The wheel carries machine code for sm_50 to sm_75, sm_86 and sm_120. For every other generation it has PTX
only, which the driver compiles at the first picture, for minutes on one core: A100 (sm_80), H100 (sm_90),
B200 (sm_100). NVIDIA's assembler does the same beforehand. Cycles finds its result by name in the wheel's own
folder, for CUDA and for what OptiX shares with it; the driver always compiles OptiX's own programs.

Nothing here loads Blender, so that an image can be built, and a machine examined, without a GPU.
"""

import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple, Self

import zstandard
from tqdm import tqdm

from shared.errors import ConfigError, DeviceError, RenderError
from shared.storage.files import write_durably

logger = logging.getLogger(__name__)

TYPICAL_BUILD_S: Final = 400.0
"""What the assembler needed for one generation on one core of an AMD EPYC; a driver has the same work."""

_LEVEL: Final = 19
"""Of compression, as in the wheel."""


class Generation(NamedTuple):
    """A generation of GPUs, by what NVIDIA calls its compute capability: 9.0 is (9, 0).

    Attributes:
        major: Machine code runs within one major version only.
        minor: And there on its own minor version and later ones.
    """

    major: int
    minor: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``sm_90`` or ``9.0``.

        Raises:
            ConfigError: It is neither.
        """
        found = re.fullmatch(r"(?:sm_(\d+)(\d)|(\d+)\.(\d))", text.strip())
        if found is None:
            raise ConfigError(
                f"{text}: expected a generation of GPUs, found no such name.", "Write sm_90 or 9.0."
            )
        major, minor = [group for group in found.groups() if group is not None]
        return cls(int(major), int(minor))

    def __str__(self) -> str:
        return f"sm_{self.major}{self.minor}"


class NvidiaGpu(NamedTuple):
    """A GPU as its driver names it."""

    name: str
    generation: Generation


@dataclass(frozen=True, slots=True)
class BuiltKernels:
    """What a build left behind.

    Attributes:
        path: Where Cycles finds it.
        build_s: How long the assembler took.
    """

    path: Path
    build_s: float

    def __str__(self) -> str:
        return f"{self.path}: built in {self.build_s:.0f} s"


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What was missing, and is there now.

    Attributes:
        built: One entry per generation.
    """

    built: tuple[BuiltKernels, ...]

    def to_text(self) -> str:
        """Return it for people."""
        return "\n".join(map(str, self.built)) or "Blender has kernels for every GPU that was asked for."

    def to_json(self) -> dict[str, object]:
        """Return it for programs."""
        return asdict(self)


def kernel_folder() -> Path:
    """Return the folder in which Cycles looks for kernels.

    Raises:
        RenderError: Blender is not installed for this Python.
    """
    blender = find_spec("bpy")
    folders = [] if blender is None or blender.origin is None else [Path(blender.origin).parent]
    for folder in folders:
        for library in folder.glob("*/scripts/addons_core/cycles/lib"):
            return library
    version = ".".join(map(str, sys.version_info[:2]))
    raise RenderError(
        f"kernels: expected Python 3.13 with bpy installed, found Python {version} without it.",
        remedy="Use an environment made by `make setup`.",
    )


def kernels_for(generation: Generation, folder: Path) -> Path | None:
    """Return the machine code that Cycles would load, or None if the driver would have to compile PTX.

    Cycles tries the generation itself, then the earlier ones of its major version (seen in Blender 5.2).
    """
    for minor in range(generation.minor, -1, -1):
        path = folder / f"kernel_{Generation(generation.major, minor)}.cubin.zst"
        if path.exists():
            return path
    return None


def nvidia_gpus() -> tuple[NvidiaGpu, ...]:
    """Return the GPUs that the driver reports; none without a driver."""
    command = ["nvidia-smi", "--query-gpu=name,compute_cap", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    if done.returncode != 0:
        return ()
    rows = [line.rpartition(",") for line in done.stdout.splitlines() if "," in line]
    return tuple(NvidiaGpu(name.strip(), Generation.parse(capability)) for name, _, capability in rows)


def find_assembler() -> Path:
    """Return NVIDIA's assembler, ``ptxas``.

    Triton, which comes with PyTorch, brings one that is older than a current toolkit's. Older drivers take
    its machine code, so it is preferred.

    Raises:
        DeviceError: There is none.
    """
    triton = find_spec("triton")
    candidates = [shutil.which("ptxas"), shutil.which("/usr/local/cuda/bin/ptxas")]
    if triton is not None and triton.origin is not None:
        candidates.insert(0, str(Path(triton.origin).parent / "backends/nvidia/bin/ptxas"))
    for candidate in candidates:
        if candidate is not None and Path(candidate).exists():
            return Path(candidate)
    raise DeviceError(
        "kernels: expected ptxas, found neither Triton nor a CUDA toolkit.",
        remedy="Run `pip install triton`, or give --ptxas.",
    )


def build_missing_kernels(generations: Iterable[str], *, assembler: Path | None = None) -> BuildReport:
    """Build what Cycles would not find, all generations at once.

    Args:
        generations: Their names; those of this machine's GPUs if there are none.
        assembler: NVIDIA's ``ptxas``; None looks for one.

    Raises:
        ConfigError: A name is no generation.
        DeviceError: There is no assembler, or no name and no GPU.
        RenderError: Blender is not installed, or the kernels cannot be built.
    """
    folder = kernel_folder()
    wanted = {Generation.parse(name) for name in generations} or {gpu.generation for gpu in nvidia_gpus()}
    if not wanted:
        raise DeviceError(
            "render-kernels: expected an NVIDIA GPU, found none that the driver reports.",
            remedy="Name generations of GPUs, such as sm_90.",
        )
    missing = sorted(each for each in wanted if kernels_for(each, folder) is None)
    if not missing:
        return BuildReport(())
    assembler = assembler or find_assembler()
    logger.info("One core each takes about %.0f minutes.", TYPICAL_BUILD_S / 60)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        building = [threads.submit(build_kernels, each, folder, assembler) for each in missing]
        bar = tqdm(as_completed(building), total=len(building), desc="building kernels", disable=None)
        return BuildReport(tuple(done.result() for done in bar))


def build_kernels(generation: Generation, folder: Path, assembler: Path) -> BuiltKernels:
    """Compile the wheel's PTX for a generation, and put the result where Cycles looks for it.

    Takes minutes on one core, some 0.5 GB of memory, and no GPU.

    Raises:
        RenderError: There is no PTX for it, it cannot be compiled, or the folder cannot be written.
    """
    target = folder / f"kernel_{generation}.cubin.zst"
    code = zstandard.ZstdDecompressor().decompress(_source(generation, folder).read_bytes())
    with tempfile.TemporaryDirectory(prefix="meshcycle-kernels-") as temporary:
        source, made = Path(temporary) / "kernel.ptx", Path(temporary) / "kernel.cubin"
        source.write_bytes(code)
        started_s = time.monotonic()
        command = [str(assembler), f"-arch={generation}", "-O3", str(source), "-o", str(made)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = (done.stderr.strip() or "nothing").splitlines()[-1]
            raise RenderError(
                f"{target.name}: expected {assembler} to compile PTX, found that it said: {said}.",
                remedy="Give a newer one with --ptxas.",
            )
        build_s = time.monotonic() - started_s
        compressed = zstandard.ZstdCompressor(level=_LEVEL).compress(made.read_bytes())
    try:
        write_durably(target, [compressed])
    except PermissionError as error:
        raise RenderError(
            f"{folder}: expected to write {target.name} here, found that this user may not.",
            remedy="Repeat it as the user who installed Blender.",
        ) from error
    return BuiltKernels(target, build_s)


def _source(generation: Generation, folder: Path) -> Path:
    """Return the newest PTX that is not newer than a generation."""
    there = {}
    for path in folder.glob("kernel_compute_*.ptx.zst"):
        digits = path.name.removeprefix("kernel_compute_").removesuffix(".ptx.zst")
        there[Generation(int(digits[:-1]), int(digits[-1]))] = path
    fitting = [found for found in there if found <= generation]
    if not fitting:
        names = ", ".join(path.name for path in there.values()) or "none"
        raise RenderError(f"{generation}: expected PTX of an earlier generation in {folder}, found {names}.")
    return there[max(fitting)]
