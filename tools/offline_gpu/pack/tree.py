"""The files that travel: a Python 3.13 with Blender in it, its shared libraries, and the trainer's packages.

render/python    interpreter, standard library, site-packages
render/lib       libraries of this machine that they are linked to, but for glibc's own
render/spare     the C++ runtime, for a node that has none
train            packages for the node's own Python 3.12
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from tools.offline_gpu.pack import stubs, wheels

KERNELS: Final = "render/python/lib/python3.13/site-packages/bpy/5.2/scripts/addons_core/cycles/lib"
"""Where Cycles looks for CUDA kernels."""

_STDLIB_WITHOUT: Final = frozenset(
    [
        "__pycache__",
        "config-3.13-x86_64-linux-gnu",
        "ensurepip",
        "idlelib",
        "lib2to3",
        "pydoc_data",
        "site-packages",
        "test",
        "tkinter",
        "turtledemo",
        "venv",
    ]
)
_ADDONS: Final = [
    "bl_pkg",
    "cycles",
    "io_anim_bvh",
    "io_curve_svg",
    "io_mesh_uv_layout",
    "io_scene_fbx",
    "io_scene_gltf2",
    "pose_library",
]
"""Those that Blender enables by itself."""
_CYCLES_KERNELS: Final = (
    "kernel_compute_75.ptx",
    "kernel_optix.ptx",
    "kernel_optix_mnee.ptx",
    "kernel_optix_shader_raytrace.ptx",
)
_DATAFILES: Final = ("colormanagement/config.ocio", "fonts/Inter.woff2", "fonts/DejaVuSansMono.woff2")
_NOT_RUN: Final = (".pyi", ".h", ".hpp", ".a", ".pxd", ".pyx", ".c", ".f90", ".lib")
_LEXERS: Final = ("__init__.py", "_mapping.py", "python.py", "diff.py")
"""Of Pygments, whose hundreds of others pytest never asks for."""
_GLIBC: Final = re.compile(r"(ld-linux-x86-64|lib(c|m|pthread|dl|rt|util|resolv|mvec|anl|nsl))\.so\.\d+$")
_SPARE: Final = ("libstdc++.so.6", "libgcc_s.so.1")
_GRAPHICS: Final = [
    "libEGL.so.1",
    "libGL.so.1",
    "libGLX.so.0",
    "libGLdispatch.so.0",
    "libOpenGL.so.0",
    "libGLESv2.so.2",
]
"""Loaded by name when EEVEE starts; the driver brings what is behind them."""


def build(root: Path, lock: Path, cache: Path) -> None:
    """Lay all files under an empty folder.

    Raises:
        SystemExit: This Python, or a library of this machine, is not what travels.
    """
    print("  wheels for Python 3.13, Blender's 400 MB among them", flush=True)
    render = wheels.fetch(lock, wheels.RENDER, cache)
    print("  wheels for Python 3.12", flush=True)
    train = wheels.fetch(lock, wheels.TRAIN, cache, python312=True)
    python = root / "render" / "python"
    site = python / "lib" / "python3.13" / "site-packages"
    print("  interpreter and packages", flush=True)
    _copy_interpreter(python)
    for wheel in render:
        wheels.unpack(wheel, site, _travels)
    for wheel in train:
        wheels.unpack(wheel, root / "train", _travels)
    _prune_scipy(site)
    print("  stubs", flush=True)
    _stub(site)
    print("  shared libraries", flush=True)
    _copy_libraries(root / "render")


def _copy_interpreter(into: Path) -> None:
    base, version = Path(sys.base_prefix), "python3.13"
    if sys.version_info[:2] != (3, 13):
        raise SystemExit(
            f"pack: expected a .venv of Python 3.13, found {sys.version.split()[0]}. Run make setup."
        )
    (into / "bin").mkdir(parents=True)
    shutil.copy(base / "bin" / version, into / "bin" / version)
    shutil.copytree(base / "lib" / version, into / "lib" / version, ignore=_ignored_in_stdlib)
    (into / "lib" / version / "site-packages").mkdir()
    for library in sorted((base / "lib").glob("libpython3.13.so.*")):
        shutil.copy(library, into / "lib" / library.name)
    binaries = [into / "bin" / version, *into.rglob("*.so*")]
    subprocess.run(["strip", "--strip-unneeded", *binaries], check=True)  # pyenv leaves 30 MB of symbols in


def _ignored_in_stdlib(folder: str, names: list[str]) -> set[str]:
    if folder.endswith("lib-dynload"):
        return {name for name in names if name.startswith(("_test", "_tkinter", "_ctypes_test", "xx"))}
    return set(names) & _STDLIB_WITHOUT


def _travels(name: str) -> bool:
    """Tell whether a member of a wheel travels."""
    path = Path(name)
    if path.suffix in _NOT_RUN or {"tests", "_examples", "include"} & set(path.parts):
        return False
    if name.startswith("numpy/distutils") or (
        name.startswith("pygments/lexers/") and path.name not in _LEXERS
    ):
        return False
    if ".dist-info/" in name:
        return path.name in ("METADATA", "WHEEL", "entry_points.txt")
    return not name.startswith("bpy/") or _travels_of_blender(name.removeprefix("bpy/"))


def _travels_of_blender(name: str) -> bool:
    folder, _, rest = name.partition("/")
    if folder == "__init__.so":
        return True
    if folder == "lib":  # MaterialX's and USD's descriptions of themselves are never read
        return "/" not in rest and not rest.startswith("libOpenImageDenoise_")
    part, _, rest = rest.partition("/")
    if part == "datafiles":
        return rest.startswith(("studiolights/world/", "studiolights/studio/")) or rest in _DATAFILES
    if part == "scripts" and rest.startswith("addons_core/"):
        return _travels_of_addons(rest.removeprefix("addons_core/"))
    return part == "extensions" or (part == "scripts" and not rest.startswith(("presets/", "templates")))


def _travels_of_addons(name: str) -> bool:
    addon, _, inner = name.partition("/")
    if addon == "cycles" and inner.startswith("lib/"):
        return inner.removeprefix("lib/").removesuffix(".zst") in _CYCLES_KERNELS
    return addon in _ADDONS and not (addon == "cycles" and inner.startswith(("source/", "shader/")))


def _prune_scipy(site: Path) -> None:
    """Leave out the parts of SciPy that nobody loads: most of it."""
    imports = (
        "import scipy.spatial.transform, scipy.spatial, scipy.ndimage, scipy.sparse.csgraph, scipy.linalg\n"
        "import sys, trimesh\n"
        "files = [getattr(module, '__file__', None) or '' for module in list(sys.modules.values())]\n"
        "print('\\n'.join(file for file in files if 'scipy' in file))"
    )
    printed = _run(sys.executable, "-c", imports)
    loaded = {Path(line.rpartition("/site-packages/scipy/")[2]) for line in printed.split()}
    for part in (path for path in (site / "scipy").iterdir() if path.is_dir()):
        if part.name not in {path.parts[0] for path in loaded}:
            shutil.rmtree(part)
    for binary in (site / "scipy").rglob("*.so"):
        if binary.relative_to(site / "scipy") not in loaded:
            binary.unlink()


def _stub(site: Path) -> None:
    blender = site / "bpy"
    for name in stubs.BLENDER:
        stubs.replace_by_stub(blender / "lib" / name, [blender / "__init__.so"])
    opencv = site / "cv2" / "cv2.abi3.so"
    needed = _run("readelf", "-d", opencv)
    for library in (site / "opencv_python.libs").iterdir():
        if library.name not in needed:
            library.unlink()
        elif library.name.startswith(stubs.OPENCV):
            stubs.replace_by_stub(library, [opencv])
    shutil.rmtree(site / "cv2" / "qt", ignore_errors=True)


def _copy_libraries(render: Path) -> None:
    """Copy what the tree is linked to on this machine, and what Blender loads by name."""
    known = known_libraries()
    missing = [name for name in _GRAPHICS if name not in known]
    if missing:
        raise SystemExit(
            f"pack: expected {', '.join(missing)} on this machine, found none. "
            "Run apt-get install libegl1 libgl1 libopengl0 libgles2."
        )
    binaries = [path for path in render.rglob("*") if path.is_file() and _is_elf(path)]
    env = {"LD_LIBRARY_PATH": str(render / "python" / "lib"), "PATH": "/usr/bin:/bin"}
    found = _run("ldd", *binaries, *(known[name] for name in _GRAPHICS), env=env, check=False)
    libraries = dict(re.findall(r"^\s+(\S+) => (/\S+)", found, re.M))
    libraries |= {name: known[name] for name in _GRAPHICS}
    lost = sorted(set(re.findall(r"^\s+(\S+) => not found", found, re.M)) - {"libcuda.so.1"})
    if lost:
        raise SystemExit(
            f"pack: expected all libraries of the tree, found no {', '.join(lost)} on this machine."
        )
    for name, path in sorted(libraries.items()):
        if Path(path).is_relative_to(render) or _GLIBC.match(name):
            continue
        into = render / ("spare" if name in _SPARE else "lib")
        into.mkdir(exist_ok=True)
        shutil.copy(Path(path).resolve(), into / name)


def known_libraries() -> dict[str, str]:
    """Return the shared libraries of this machine, path by name."""
    return dict(re.findall(r"^\s+(\S+) \(libc6,x86-64.*\) => (\S+)$", _run("/sbin/ldconfig", "-p"), re.M))


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"\x7fELF"


def _run(*command: object, env: dict[str, str] | None = None, check: bool = True) -> str:
    words = [str(word) for word in command]
    return subprocess.run(words, capture_output=True, text=True, env=env, check=check).stdout
