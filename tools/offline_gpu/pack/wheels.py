"""Wheels, by name from the project's hashed lock, through pip, and kept in the cache."""

import hashlib
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

RENDER: Final = [
    "bpy",
    "attrs",
    "cattrs",
    "typing-extensions",
    "requests",
    "urllib3",
    "certifi",
    "charset-normalizer",
    "idna",
    "zstandard",
    "numpy",
    "scipy",
    "pillow",
    "opencv-python",
    "trimesh",
    "lmdb",
    "safetensors",
    "psutil",
    "tqdm",
    "click",
    "fsspec",
    "pydantic",
    "pydantic-core",
    "annotated-types",
    "typing-inspection",
    "jaxtyping",
    "wadler-lindig",
    "pytest",
    "pluggy",
    "iniconfig",
    "packaging",
    "pygments",
    "pytest-timeout",
]
"""What rendering, its benchmark and its GPU tests import in Python 3.13: no Ray, no PyTorch."""

TRAIN: Final = [
    "lightning-fabric",
    "lightning-utilities",
    "lmdb",
    "smplx",
    "trimesh",
    "typing-extensions",
    "pydantic",
    "pydantic-core",
    "annotated-types",
    "typing-inspection",
]
"""What the trainer imports, and a node's Python 3.12 with PyTorch and timm seldom has."""

_FOR_312: Final = [
    *(
        "--python-version",
        "3.12",
        "--implementation",
        "cp",
        "--abi",
        "cp312",
        "--abi",
        "abi3",
        "--abi",
        "none",
    ),
    *(
        word
        for tag in ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014", "manylinux1")
        for word in ("--platform", f"{tag}_x86_64")
    ),
]


def fetch(lock: Path, names: Iterable[str], cache: Path, *, python312: bool = False) -> list[Path]:
    """Return the locked wheels of some packages, downloaded if they are not there yet; pip checks the hashes.

    Raises:
        SystemExit: The lock names no such package.
    """
    entries = {
        entry.split("==")[0]: entry for entry in re.split(r"^(?=[a-z0-9])", lock.read_text(), flags=re.M)
    }
    missing = set(names) - entries.keys()
    if missing:
        raise SystemExit(f"pack: expected {', '.join(sorted(missing))} in {lock}, found no such entry.")
    wanted = "".join(entries[name] for name in sorted(names))
    tags = _FOR_312 if python312 else []
    folder = cache / "wheels" / hashlib.sha256(f"{wanted}{tags}".encode()).hexdigest()[:16]
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        subset = folder / "subset.lock"
        subset.write_text(wanted, encoding="utf-8")
        command = [sys.executable, "-m", "pip", "download", "-qq", "--no-deps", "--only-binary=:all:"]
        subprocess.run([*command, "--require-hashes", "-r", subset, "-d", folder, *tags], check=True)
        (folder / "complete").touch()
    return sorted(folder.glob("*.whl"))


def unpack(wheel: Path, into: Path, keep: Callable[[str], bool]) -> None:
    """Unpack the members of a wheel that are wanted."""
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            if not member.is_dir() and keep(member.filename):
                path = Path(archive.extract(member, into))
                if member.external_attr >> 16 & 0o100:
                    path.chmod(0o755)
