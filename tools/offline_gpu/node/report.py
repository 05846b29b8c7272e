"""How a step reports: one JSON file of its own, and a last line for people."""

import json
import os
from pathlib import Path
from typing import Any, Final

from tools.offline_gpu.node.layout import LOGS

_MARK: Final = "RESULT "


def report(found: Any, line: str) -> None:
    """Write what a step found, and say it in a line; a later call replaces an earlier one.

    So a step that is cut short has told what it knew.
    """
    path = Path(os.environ["STEP_RESULT"])
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(found, indent=1, default=str), encoding="utf-8")
    temporary.rename(path)
    print(f"{_MARK}{line}", flush=True)


def last_line(name: str) -> str:
    """Return the last thing that a step said of its result, else the last line of its log."""
    try:
        lines = (LOGS / f"{name}.log").read_text(errors="replace").splitlines()
    except OSError:
        return ""
    results = [line.removeprefix(_MARK) for line in lines if line.startswith(_MARK)]
    others = [line.strip().rpartition("\r")[2] for line in lines if line.strip()]
    return (results or others or [""])[-1]
