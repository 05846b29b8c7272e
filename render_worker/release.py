"""What a process is made of: the same release on every machine of a farm renders the same pictures."""

import ast
import hashlib
import importlib.metadata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

_DRAWING: Final = tuple(f"render_worker/{folder}" for folder in ("picture", "blender", "twins", "dataset"))
"""Folders whose code, with all that it imports of ours, decides what a picture looks like."""

_OURS: Final = ("render_worker", "shared")


@dataclass(frozen=True, slots=True)
class Release:
    """A release of meshcycle and of Blender.

    Attributes:
        version: Version of meshcycle.
        code: Hash of the sources that render; two checkouts of one version may differ.
        bpy: Version of the installed Blender module; empty if there is none.
    """

    version: str
    code: str
    bpy: str

    def __str__(self) -> str:
        return f"meshcycle {self.version} ({self.code[:8]}) with bpy {self.bpy or 'missing'}"

    def renders_like(self, other: "Release") -> bool:
        """Tell whether both make the same pictures; a machine without Blender only asks for them."""
        return self.code == other.code and (self.bpy == other.bpy or not self.bpy or not other.bpy)


@cache
def this_release() -> Release:
    """Return the release of this process."""
    return Release(
        version=_version("meshcycle"),
        code=hash_of_drawing_code(Path(__file__).parents[1]),
        bpy=_version("bpy"),
    )


def hash_of_drawing_code(root: Path) -> str:
    """Return the hash of the sources that decide what a picture looks like, and of no others.

    So a changed command or help text does not keep the machines of a farm from working together.

    Args:
        root: Folder of the packages.
    """
    digest = hashlib.sha256()
    for path in rendering_sources(root):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def rendering_sources(root: Path) -> list[Path]:
    """Return the sources that render, and those that they import, directly or not."""
    waiting = [path for folder in _DRAWING for path in (root / folder).rglob("*.py")]
    found: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += _imports(path, root)
    return sorted(found)


def _imports(path: Path, root: Path) -> Iterator[Path]:
    """Yield our own files that one of them imports, with the packages that they are in."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] not in _OURS:  # installed, everybody else's packages lie beside ours
                continue
            modules = [root.joinpath(*parts[:depth], "__init__.py") for depth in range(1, len(parts) + 1)]
            modules.append(root.joinpath(*parts).with_suffix(".py"))
            yield from filter(Path.is_file, modules)


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""
