"""Checks of this machine and of what the user brings, each in a process of its own.

A damaged LMDB or a broken Blender does not raise, it kills the process; so a check that dies, hangs or fails
is a finding like any other. What is checked is the parts' business (``health.py`` of each).

A check is a function without side effects, named as ``module:function``. It takes strings and returns what it
found in a few words; what is wrong it raises as a `MeshcycleError`.
"""

import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Final, Literal

from shared.errors import MeshcycleError

TIMEOUT_S: Final = 180.0
"""Longer than starting Ray on a busy machine takes."""

_CRASHED = "Install again with `make clean setup`; if it stays, report it with this line."
_WIDTH = 16


@dataclass(frozen=True, slots=True)
class Check:
    """Something to look at.

    Attributes:
        name: What stands before its line.
        function: ``module:function``.
        arguments: Its keyword arguments.
        asked_by: Option that the user did not give; the check is then skipped.
    """

    name: str
    function: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    asked_by: str | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes:
        check: Its name.
        status: How it is.
        found: In words.
        remedy: What to do about a problem.
    """

    check: str
    status: Literal["ok", "problem", "skipped"]
    found: str
    remedy: str = ""

    def __str__(self) -> str:
        line = f"{self.status:8} {self.check:{_WIDTH}} {self.found}"
        return f"{line}\n{'':{_WIDTH + 10}}→ {self.remedy}" if self.remedy else line


def examine(checks: Iterable[Check], *, timeout_s: float = TIMEOUT_S) -> Iterator[Finding]:
    """Yield what every check found, one after the other."""
    for check in checks:
        if check.asked_by is not None:
            yield Finding(check.name, "skipped", f"not asked for; give {check.asked_by}")
        else:
            yield _examine(check, timeout_s=timeout_s)


def python_version() -> str:
    """Say which Python this is; Blender's module decides which one renders."""
    found = platform.python_version()
    renders = sys.version_info[:2] == (3, 13)
    return f"{found}, {sys.executable}" + ("" if renders else "; Blender needs 3.13, so it cannot render")


def _examine(check: Check, *, timeout_s: float) -> Finding:
    with tempfile.TemporaryDirectory(prefix="meshcycle-doctor-") as folder:
        answer = Path(folder) / "answer.json"
        command = [
            sys.executable,
            "-m",
            "shared.cli.doctor",
            check.function,
            json.dumps(dict(check.arguments)),
        ]
        # Libraries may print what they like: the answer comes in a file.
        try:
            done = subprocess.run(
                [*command, str(answer)], capture_output=True, text=True, timeout=timeout_s, check=False
            )
        except subprocess.TimeoutExpired:
            return Finding(check.name, "problem", f"no answer within {timeout_s:.0f} s", _CRASHED)
        if answer.exists():
            return Finding(check.name, **json.loads(answer.read_text(encoding="utf-8")))
    if done.returncode < 0:
        return Finding(
            check.name, "problem", f"died with {signal.Signals(-done.returncode).name}", _remedy(check)
        )
    last_line = (done.stderr.strip() or "nothing said").splitlines()[-1]
    return Finding(check.name, "problem", f"failed: {last_line}", _remedy(check))


def _remedy(check: Check) -> str:
    """Reading a file that was cut kills a process that maps it into memory."""
    if check.arguments:
        return f"Copy or make {', '.join(check.arguments.values())} again; it is probably cut or damaged."
    return _CRASHED


def main(function: str, arguments: str, answer: str) -> None:
    """Run one check in this process, and write down what it found."""
    module, _, name = function.partition(":")
    found: dict[str, str]
    try:
        found = {"status": "ok", "found": getattr(import_module(module), name)(**json.loads(arguments))}
    except MeshcycleError as error:
        found = {"status": "problem", "found": error.message.removesuffix("."), "remedy": error.remedy}
    Path(answer).write_text(json.dumps(found), encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)  # what is known is written: a library that dies on leaving changes nothing


if __name__ == "__main__":
    main(*sys.argv[1:])
