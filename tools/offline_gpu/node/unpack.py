"""Unpacks one part with all cores, and leaves a note when it is complete."""

import json
import os
import re
import subprocess
import sys
import tarfile
import time
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Final

from tools.offline_gpu.node.layout import NOTE, OFFLINE, UNPACKED

LABELS: Final = re.compile(r"data/[^/]+/(training|evaluation)\.npz")


def unpack(part: Path) -> None:
    """Unpack the archives of a part.

    Raises:
        SystemExit: An archive is not what was packed.
    """
    started_s = time.monotonic()
    note = json.loads((part / NOTE).read_text(encoding="utf-8"))
    archives = sorted((part / name for name in note["sha256"]), key=lambda path: -path.stat().st_size)
    labels: list[str] = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for archive, (digest, some) in zip(archives, pool.map(_unpack, archives), strict=True):
            labels += some
            if digest != note["sha256"][archive.name]:
                raise SystemExit(
                    f"{archive}: expected the bytes that were packed, found others. Copy it again."
                )
    if labels:
        subprocess.run([sys.executable, "-m", "tools.offline_gpu.node.labels", *labels], check=True)
    done = {"kind": note["kind"], "number": note["number"], "count": note["count"]}
    path = UNPACKED / f"{part.name}.json"
    path.write_text(json.dumps({**done, "seconds": round(time.monotonic() - started_s, 1)}), encoding="utf-8")


def unpacked() -> set[str]:
    """Tell what is there: ``train`` comes with part 1, ``render`` with all, ``data`` with all of its own."""
    notes = [json.loads(path.read_text(encoding="utf-8")) for path in UNPACKED.glob("*.json")]
    there = set()
    for kind, name in (("tree", "render"), ("data", "data")):
        some = [note for note in notes if note["kind"] == kind]
        if some and len(some) == some[0]["count"]:
            there.add(name)
    if any(note["kind"] == "tree" and note["number"] == 1 for note in notes):
        there.add("train")
    return there


def _unpack(archive: Path) -> tuple[str, list[str]]:
    """Return the hash of an archive, and the packed labels that came with it."""
    with tarfile.open(archive, "r:xz") as tar:
        tar.extractall(OFFLINE, filter="fully_trusted")
        labels = [str(OFFLINE / name) for name in tar.getnames() if LABELS.fullmatch(name)]
    return sha256(archive.read_bytes()).hexdigest(), labels


if __name__ == "__main__":
    unpack(Path(sys.argv[1]))
