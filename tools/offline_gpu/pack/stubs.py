"""Libraries that the loader asks for and nobody calls, replaced by ones with only the right names in them.

Blender is linked to denoisers, Intel's GPU kernels and a shading language: 240 MB that the project's renders
never enter, and that hardly compress. A stub has every symbol of its original that the libraries around it
want: functions return 0, objects are zeros. Names are bound when first called, so nothing else is needed.
"""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

BLENDER: Final = (
    "libOpenImageDenoise.so.2",
    "libcycles_kernel_oneapi_aot.so",
    "liboslcomp.so.1.15",
    "liboslexec.so.1.15",
    "liboslnoise.so.1.15",
    "liboslquery.so.1.15",
)
OPENCV: Final = ("libQt5", "libav", "libsw", "libopenblas")
"""Windows, videos, AVIF and linear algebra of OpenCV, by the beginnings of their names."""


class Symbol(NamedTuple):
    """A name that a library gives."""

    is_function: bool
    size: int
    version: str


def replace_by_stub(library: Path, users: Iterable[Path]) -> None:
    """Replace a library by one that does nothing, for all those that use it."""
    gives, _ = _symbols(library)
    wanted = sorted(gives.keys() & set().union(*(_symbols(user)[1] for user in users)))
    source, script = (library.with_name(library.name + ending) for ending in (".s", ".map"))
    source.write_text(_assembly({name: gives[name] for name in wanted}), encoding="utf-8")
    versions = sorted({gives[name].version for name in wanted} - {""})
    exported = {
        version: "".join(f" {name};" for name in wanted if gives[name].version == version)
        for version in versions
    }
    script.write_text("".join(f"{version} {{ global:{names} }};\n" for version, names in exported.items()))
    options = [f"-Wl,-soname,{_soname(library)}"]
    if versions:
        options.append(f"-Wl,--version-script,{script}")
    library.unlink()
    command = ["gcc", "-shared", "-nostdlib", "-s", "-Wl,--build-id=none", *options, "-o"]
    subprocess.run([*command, str(library), str(source)], check=True)
    source.unlink()
    script.unlink()


def _assembly(symbols: dict[str, Symbol]) -> str:
    lines = [".text"]
    for name, symbol in symbols.items():
        if symbol.is_function:
            lines += [f".globl {name}", f".type {name},@function", f"{name}:"]
            lines += ["xorl %eax,%eax", "xorps %xmm0,%xmm0", "ret"]
    lines.append(".bss")
    for name, symbol in symbols.items():
        if not symbol.is_function:
            size = max(symbol.size, 1)
            lines += [".balign 32", f".globl {name}", f".type {name},@object", f".size {name},{size}"]
            lines += [f"{name}:", f".zero {size}"]
    return "\n".join([*lines, '.section .note.GNU-stack,"",@progbits\n'])


def _symbols(path: Path) -> tuple[dict[str, Symbol], set[str]]:
    """Return what a library gives, and the names of what it wants."""
    gives: dict[str, Symbol] = {}
    wants: set[str] = set()
    for line in _readelf("--dyn-syms", path).splitlines():
        words = line.split()
        if len(words) < 8 or not words[0].rstrip(":").isdigit():
            continue
        name, _, version = words[7].replace("@@", "@").partition("@")
        if words[6] == "UND":
            wants.add(name)
        elif words[6] != "ABS" and name:  # absolute ones are the names of versions
            gives[name] = Symbol(words[3] in ("FUNC", "IFUNC"), int(words[2], 0), version)
    return gives, wants


def _soname(path: Path) -> str:
    """Return the name under which others ask for a library."""
    found = re.search(r"SONAME.*\[(.*)\]", _readelf("-d", path))
    return found[1] if found else path.name


def _readelf(what: str, path: Path) -> str:
    return subprocess.run(["readelf", "-W", what, path], capture_output=True, text=True, check=True).stdout
