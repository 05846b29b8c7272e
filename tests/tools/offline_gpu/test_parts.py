"""Files travel in parts of a limited size, and arrive as they were or not at all."""

import json
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytest.importorskip("tools", reason="the build tools are not part of an installed package")

from tools.offline_gpu.node import unpack
from tools.offline_gpu.pack import archives, stubs, tree

LARGE_BYTES = 9 << 20


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A tree with text, a program, a link, and two files that each get an archive of their own."""
    root = tmp_path / "tree"
    (root / "render/lib").mkdir(parents=True)
    (root / "train").mkdir()
    (root / "train/module.py").write_text("print('here')\n")
    (root / "render/program").write_bytes(b"\x7fELF")
    (root / "render/program").chmod(0o755)
    (root / "render/link").symlink_to("program")
    for number in range(2):
        (root / f"render/lib/lib{number}.so").write_bytes(bytes([number]) * LARGE_BYTES)
    return root


def pack(files: Path, out: Path, *, part_bytes: int) -> list[int]:
    packing = archives.Packing(cache=out.parent / "cache", part_bytes=part_bytes, jobs=1, level=0)
    with ThreadPoolExecutor(1) as pool:
        made = archives.compress(files, archives.plan(files), packing, pool)
    first = [name for name in made if name.startswith("train-")]
    return archives.distribute(made, out, "tree", limit_bytes=part_bytes, first=first)


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty node, whose parts are unpacked in this process."""
    root = tmp_path / "node"
    monkeypatch.setattr(unpack, "OFFLINE", root)
    monkeypatch.setattr(unpack, "UNPACKED", root / "unpacked")
    monkeypatch.setattr(unpack, "ProcessPoolExecutor", ThreadPoolExecutor)
    (root / "unpacked").mkdir(parents=True)
    return root


def test_a_tree_arrives_as_it_was(files: Path, tmp_path: Path, node: Path) -> None:
    """And is known to be there part by part: the trainer's packages come first, Blender with the last one."""
    sizes = pack(files, tmp_path / "parts", part_bytes=3000)
    assert len(sizes) > 1
    assert max(sizes) <= 3000
    there = []
    for number in range(1, len(sizes) + 1):
        unpack.unpack(tmp_path / "parts" / str(number))
        there.append(unpack.unpacked())
    assert there[0] == {"train"}
    assert there[-1] == {"train", "render"}
    assert (node / "train/module.py").read_text() == "print('here')\n"
    assert (node / "render/link").readlink() == Path("program")
    assert (node / "render/program").stat().st_mode & 0o777 == 0o755
    assert (node / "render/lib/lib1.so").read_bytes() == b"\x01" * LARGE_BYTES


def test_packing_again_gives_the_same_bytes(files: Path, tmp_path: Path) -> None:
    def hashes(out: Path) -> list[str]:
        pack(files, out, part_bytes=1 << 20)
        return [json.loads(note.read_text())["sha256"] for note in sorted(out.glob("*/part.json"))]

    first = hashes(tmp_path / "parts")
    shutil.rmtree(tmp_path / "cache")
    (files / "train/module.py").touch()
    assert hashes(tmp_path / "again") == first


def test_a_damaged_part_is_refused(files: Path, tmp_path: Path, node: Path) -> None:
    pack(files, tmp_path / "parts", part_bytes=1 << 20)
    note = tmp_path / "parts/1/part.json"
    about = json.loads(note.read_text())
    about["sha256"] = dict.fromkeys(about["sha256"], "0" * 64)
    note.write_text(json.dumps(about))
    with pytest.raises(SystemExit, match="expected the bytes that were packed, found others"):
        unpack.unpack(note.parent)
    assert unpack.unpacked() == set()


def test_an_archive_that_no_part_can_hold_is_named(files: Path, tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"found .* Give --part-mib"):
        pack(files, tmp_path / "parts", part_bytes=100)


@pytest.mark.parametrize(
    ("name", "travels"),
    [
        ("numpy/__init__.py", True),
        ("numpy/tests/test_all.py", False),
        ("numpy-2.4.dist-info/METADATA", True),
        ("numpy-2.4.dist-info/RECORD", False),
        ("bpy/__init__.so", True),
        ("bpy/5.2/scripts/addons_core/cycles/lib/kernel_compute_75.ptx.zst", True),
        ("bpy/5.2/scripts/addons_core/cycles/lib/kernel_gfx1010.fatbin.zst", False),
        ("bpy/5.2/scripts/addons_core/cycles/source/kernel/types.h", False),
        ("bpy/5.2/scripts/addons_core/cycles/engine.py", True),
        ("bpy/5.2/datafiles/colormanagement/config.ocio", True),
        ("bpy/5.2/datafiles/fonts/NotoSansCJK.woff2", False),
    ],
)
def test_what_no_render_loads_stays_behind(name: str, travels: bool) -> None:
    assert tree._travels(name) is travels


@pytest.mark.skipif(not (shutil.which("gcc") and shutil.which("readelf")), reason="gcc is a developer's tool")
def test_a_stub_has_the_names_that_are_asked_for_and_does_nothing(tmp_path: Path) -> None:
    """A program that is linked to the original runs with the stub, whose functions return 0."""
    (tmp_path / "lib.c").write_text("int seven(void) { return 7; } int unused(void) { return 8; }")
    (tmp_path / "main.c").write_text("int seven(void); int main(void) { return seven(); }")
    library, program = tmp_path / "libseven.so", tmp_path / "main"
    subprocess.run(["gcc", "-shared", "-o", library, tmp_path / "lib.c"], check=True)
    link = ["-L", str(tmp_path), "-lseven", f"-Wl,-rpath,{tmp_path}"]
    subprocess.run(["gcc", "-o", program, tmp_path / "main.c", *link], check=True)
    assert subprocess.run([program], check=False).returncode == 7
    stubs.replace_by_stub(library, [program])
    assert subprocess.run([program], check=False).returncode == 0
    symbols = subprocess.run(
        ["readelf", "-W", "--dyn-syms", library], capture_output=True, text=True, check=True
    )
    assert "seven" in symbols.stdout
    assert "unused" not in symbols.stdout
