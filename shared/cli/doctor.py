"""Runs the checks of this machine and of what the user brings, each in a process of its own.

A damaged LMDB or a broken Blender does not raise, it kills the process; so a check that dies, hangs or fails
is a finding like any other. What is checked is the parts' business (``checks.py`` of each).
"""

import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from shared.errors import MeshcycleError
from shared.seams.check import Check, Finding

TIMEOUT_S: Final = 180.0
"""Longer than starting Ray on a busy machine takes."""

IMAGE: Final = "MESHCYCLE_IMAGE"
"""Set in our container images to the name of the image; what it was built without is no problem there."""

_CRASHED = "Install again with `make clean setup`; if it stays, report it with this line."


def examine(
    checks: Iterable[Check], given: Mapping[str, str] | None = None, *, timeout_s: float = TIMEOUT_S
) -> Iterator[Finding]:
    """Yield what every check found, one after the other.

    Args:
        checks: What to look at.
        given: Values of the options that the user gave, by their names.
        timeout_s: How long a check may take.
    """
    options = given or {}
    for check in checks:
        if check.asked_by is not None and check.asked_by not in options:
            asked_by = check.asked_by.replace("_", "-")
            yield Finding(check.name, "skipped", f"not asked for; give --{asked_by}")
        elif check.needs and os.environ.get(IMAGE) and find_spec(check.needs) is None:
            said = f"the {os.environ[IMAGE]} image is built without {check.needs}"
            yield Finding(check.name, "skipped", said)
        else:
            values = {name: options[of] for name, of in check.arguments.items() if of in options}
            yield _examine(check, values, timeout_s=timeout_s)


def python_version() -> str:
    """Say which Python this is; Blender's module decides which one renders."""
    found = platform.python_version()
    renders = sys.version_info[:2] == (3, 13)
    where = f"{sys.executable}, in the {os.environ[IMAGE]} image" if os.environ.get(IMAGE) else sys.executable
    return f"{found}, {where}" + ("" if renders else "; Blender needs 3.13, so it cannot render")


def _examine(check: Check, values: Mapping[str, str], *, timeout_s: float) -> Finding:
    with tempfile.TemporaryDirectory(prefix="meshcycle-doctor-") as folder:
        answer = Path(folder) / "answer.json"
        command = [sys.executable, "-m", "shared.cli.doctor", check.function, json.dumps(dict(values))]
        # Libraries may print what they like: the answer comes in a file.
        try:
            done = subprocess.run(
                [*command, str(answer)], capture_output=True, text=True, timeout=timeout_s, check=False
            )
        except subprocess.TimeoutExpired:
            return Finding(check.name, "problem", f"no answer within {timeout_s:.0f} s.", _CRASHED)
        if answer.exists():
            return Finding(check.name, **json.loads(answer.read_text(encoding="utf-8")))
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        return Finding(check.name, "problem", f"died with {name}.", _remedy(values))
    last_line = (done.stderr.strip() or "nothing said").splitlines()[-1]
    return Finding(check.name, "problem", f"failed: {last_line}.", _remedy(values))


def _remedy(values: Mapping[str, str]) -> str:
    """Reading a file that was cut kills a process that maps it into memory."""
    if values:
        return f"Copy or make {', '.join(values.values())} again; it is probably cut or damaged."
    return _CRASHED


def main(function: str, arguments: str, answer: str) -> None:
    """Run one check in this process, and write down what it found."""
    module, _, name = function.partition(":")
    found: dict[str, Any]
    try:
        said = getattr(import_module(module), name)(**json.loads(arguments))
        text, value = (said, None) if isinstance(said, str) else said
        found = {"status": "ok", "found": text, "value": value}
    except MeshcycleError as error:
        found = {"status": "problem", "found": error.message, "remedy": error.remedy}
    Path(answer).write_text(json.dumps(found), encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)  # what is known is written: a library that dies on leaving changes nothing


if __name__ == "__main__":
    main(*sys.argv[1:])
