"""What a process is made of: the same release on every machine of a farm draws the same pictures."""

import hashlib
import importlib.metadata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

_DRAWN_BY: Final = ("render_worker", "shared")
"""Packages whose code decides what a picture looks like."""


@dataclass(frozen=True, slots=True)
class Release:
    """A release of meshcycle and of Blender.

    Attributes:
        version: Version of meshcycle.
        code: Hash of the sources that draw; two checkouts of one version may differ.
        bpy: Version of the installed Blender module; empty if there is none.
    """

    version: str
    code: str
    bpy: str

    def __str__(self) -> str:
        return f"meshcycle {self.version} ({self.code[:8]}) with bpy {self.bpy or 'missing'}"

    def draws_like(self, other: "Release") -> bool:
        """Tell whether both make the same pictures; a machine without Blender only asks for them."""
        return self.code == other.code and (self.bpy == other.bpy or not self.bpy or not other.bpy)


@cache
def this_release() -> Release:
    """Return the release of this process."""
    root = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(path for package in _DRAWN_BY for path in (root / package).rglob("*.py")):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return Release(
        version=_version("meshcycle"),
        code=digest.hexdigest(),
        bpy=_version("bpy"),
    )


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""
