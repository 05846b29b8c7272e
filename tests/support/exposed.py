"""Where others, or whoever is sent a log, could read a secret of some processes."""

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil


def places_that_show(secret: bytes, processes: Iterable[psutil.Process]) -> list[str]:
    """Return the command lines, environments and logs of the processes and of their children that hold it."""
    family = [each for process in processes for each in (process, *process.children(recursive=True))]
    found = []
    for process in family:
        for what in ("cmdline", "environ"):
            with suppress(OSError):  # it ended in the meantime
                if secret in Path(f"/proc/{process.pid}/{what}").read_bytes():
                    found.append(f"{what} of {process.pid}")
    logs = [path for folder in session_folders(family) for path in folder.rglob("*") if path.is_file()]
    assert logs, "Ray's processes keep logs"
    return found + [str(path) for path in logs if secret in path.read_bytes()]


def session_folders(processes: Iterable[psutil.Process]) -> set[Path]:
    """Return where Ray's processes among these keep their logs."""
    folders: set[str] = set()
    for process in processes:
        with suppress(psutil.Error):
            folders.update(re.findall(r"[\w/.-]*/session_[\w-]+", " ".join(process.cmdline())))
    return {Path(folder) for folder in folders if folder.startswith("/")}
