"""Tries the parts here as a node will use them: in a root with nothing but glibc, a shell and a Python 3.12.

It wants to be root, for mounts that nobody else sees. There is no GPU: what is proven is that all files are
there, that Blender renders on the CPU, and that the trainer takes a step if a Python 3.12 with PyTorch is at
hand.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from tools.offline_gpu.pack.archives import NOTE
from tools.offline_gpu.pack.tree import known_libraries

_GLIBC: Final = [
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libm.so.6",
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
    "libutil.so.1",
    "libmvec.so.1",
]
_FOLDERS: Final = ["bin", "usr/bin", "lib64", "lib/x86_64-linux-gnu", "tmp", "proc", "dev", "etc", "root"]
_PYTHON: Final = "/opt/torch/.venv/bin/python3"
_LOADER: Final = "/lib64/ld-linux-x86-64.so.2"


def check(parts: Path, *, cache: Path, python312: Path | None) -> None:
    """Take the parts in, and run the plan ``check``, in an empty root.

    Args:
        parts: Their folder.
        cache: Where that root is made.
        python312: A Python 3.12 with a node's packages; without it, the trainer is not tried.

    Raises:
        SystemExit: A step failed, or there is nothing to try.
    """
    names = sorted(path.parent.name for path in parts.glob(f"*/{NOTE}"))
    if not names:
        raise SystemExit(
            f"check: expected parts in {parts}, found none. Run `python -m tools.offline_gpu pack`."
        )
    root = cache / "root"
    shutil.rmtree(root, ignore_errors=True)
    _make_root(root)
    python = python312 or _find_python312()
    mounts = _bring_python(python, root)
    _copy_project(root / "project", parts)
    has_torch = _can(python, "import torch")
    if not has_torch:
        print(f"check: {python} has no PyTorch, so the trainer is not tried; give --python312.", flush=True)
    node = f"{_PYTHON} -m tools.offline_gpu.node"
    plan = "check" if has_torch else "check-render"
    calls = [f"{node} part {' '.join(names)}", f"{node} start {plan} 60", f"{node} wait 3600 --out /out"]
    for call in calls:
        print(f"check: {call}", flush=True)
        _in_root(root, mounts, call)
    kept = parts / "check"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(root / "out", kept)
    steps = json.loads((kept / "results.json").read_text(encoding="utf-8"))["steps"]
    failed = [name for name, step in steps.items() if step["state"] != "done"]
    if failed:
        raise SystemExit(
            f"check: expected every step done, found {', '.join(failed)} failed. Look at {kept}."
        )
    print(f"check: {len(steps)} steps done; pictures and results in {kept}")


def _make_root(root: Path) -> None:
    """Make a root with glibc and a shell."""
    for folder in _FOLDERS:
        (root / folder).mkdir(parents=True)
    known = known_libraries()
    for name in _GLIBC:
        folder = "lib64" if name.startswith("ld-") else "lib/x86_64-linux-gnu"
        shutil.copy(Path(known[name]).resolve(), root / folder / name)
    for program in ("/bin/dash", "/usr/bin/env"):
        shutil.copy(program, root / "bin" / Path(program).name)
    (root / "bin/sh").symlink_to("dash")
    (root / "usr/bin/env").symlink_to("/bin/env")
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n", encoding="utf-8")
    (root / "out").mkdir()


def _bring_python(python: Path, root: Path) -> list[tuple[str, str]]:
    """Lay a Python 3.12 where a node could have its own, and return what is to be mounted.

    The loader starts it with libraries of its own, so that nothing else in the root finds these.
    """
    base, prefix = _run(python, "-c", "import sys; print(sys.base_prefix, sys.prefix)").split()
    version = "python" + ".".join(_run(python, "-c", "import sys; print(*sys.version_info[:2])").split())
    venv, libraries = root / "opt/torch/.venv", root / "opt/torch/lib"
    for folder in (venv / "bin", venv / "lib", libraries, root / base.lstrip("/")):
        folder.mkdir(parents=True, exist_ok=True)
    known = known_libraries()
    binaries = [Path(base) / "bin" / version, *(Path(base) / "lib" / version / "lib-dynload").glob("*.so")]
    needed = dict(re.findall(r"^\s+(\S+) => (/\S+)", _run("ldd", *binaries), re.M))
    for name in ("libstdc++.so.6", "libgcc_s.so.1", "libz.so.1"):
        needed.setdefault(name, known[name])
    for name, path in needed.items():
        if name not in _GLIBC:
            shutil.copy(Path(path).resolve(), libraries / name)
    start = f"{_LOADER} --library-path /opt/torch/lib --argv0 {_PYTHON} {base}/bin/{version}"
    wrapper = root / _PYTHON.lstrip("/")
    wrapper.write_text(f'#!/bin/sh\nexec {start} "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    about = f"home = {base}/bin\ninclude-system-site-packages = false\n"
    (venv / "pyvenv.cfg").write_text(about, encoding="utf-8")
    return [(base, base), *([(f"{prefix}/lib", "/opt/torch/.venv/lib")] if prefix != base else [])]


def _copy_project(into: Path, parts: Path) -> None:
    """Copy what git knows or would take, and the parts."""
    for name in _run("git", "ls-files", "-co", "--exclude-standard").splitlines():
        if Path(name).is_file():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(name, into / name)
    shutil.copytree(parts, into / parts.name)


def _in_root(root: Path, mounts: list[tuple[str, str]], call: str) -> None:
    lines = ["set -e", f"mount -t proc proc {root}/proc", f"mount --rbind /dev {root}/dev"]
    for source, target in mounts:
        lines += [f"mount --bind {source} {root}{target}", f"mount -o remount,bind,ro {root}{target}"]
    lines.append(
        f"exec chroot {root} /usr/bin/env -i PATH=/opt/torch/.venv/bin:/usr/bin:/bin HOME=/root "
        f"OMP_NUM_THREADS=2 /bin/sh -c 'cd /project && {call}'"
    )
    if subprocess.run(["unshare", "--mount", "bash", "-c", "\n".join(lines)], check=False).returncode:
        raise SystemExit(f"check: expected this to work, found that it failed: {call}")


def _find_python312() -> Path:
    candidates = [*Path.home().glob(".pyenv/versions/3.12.*/bin/python3.12"), Path("/usr/bin/python3.12")]
    for candidate in candidates:
        if candidate.exists() and _can(candidate, "import sys; assert sys.version_info[:2] == (3, 12)"):
            return candidate
    print("check: no Python 3.12 here; this Python takes its place.", flush=True)
    return Path(sys.executable)


def _can(python: Path, code: str) -> bool:
    return subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0


def _run(*command: object) -> str:
    env = {**os.environ, "PYTHONPATH": ""}
    words = [str(word) for word in command]
    return subprocess.run(words, capture_output=True, text=True, check=True, env=env).stdout
