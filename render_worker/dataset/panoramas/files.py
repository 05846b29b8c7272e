"""Reads the high-dynamic-range panoramas that come with Blender's wheel, without starting Blender.

Eight places by Greg Zaal, Poly Haven, CC0. The wheel also holds the library that can read them.
"""

import importlib
import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
from jaxtyping import Float32

from shared.errors import RenderError


def panorama_files() -> list[Path]:
    """Return the equirectangular EXR files of the wheel, sorted by name."""
    return sorted(_wheel().glob("*/datafiles/studiolights/world/*.exr"))


def read_hdr(path: Path) -> Float32[np.ndarray, "rows columns 3"]:
    """Return scene-linear RGB.

    Raises:
        RenderError: The file cannot be read.
    """
    library = _openimageio()
    file = library.ImageInput.open(str(path))
    if file is None:
        raise RenderError(
            f"{path}: expected a panorama, found: {library.geterror()}.",
            remedy="Install bpy again.",
        )
    pixels = np.asarray(file.read_image(format="float"), dtype=np.float32)
    file.close()
    return pixels[..., :3]


def _wheel() -> Path:
    spec = importlib.util.find_spec("bpy")
    if spec is None or spec.origin is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise RenderError(
            f"bpy: expected Blender's wheel, found none for this Python {version}.",
            remedy="It exists for Python 3.13; install meshcycle there.",
        )
    return Path(spec.origin).parent


@cache
def _openimageio() -> ModuleType:
    """Import OpenImageIO from inside the wheel, where Blender keeps it for its own scripts."""
    package = next(_wheel().glob("**/site-packages/OpenImageIO/__init__.py"), None)
    if package is None:
        raise RenderError(
            "bpy: expected OpenImageIO inside the wheel, found none.",
            remedy="Install bpy 5.2.",
        )
    folder = str(package.parents[1])
    sys.path.append(folder)
    try:
        return importlib.import_module("OpenImageIO")
    finally:
        sys.path.remove(folder)
