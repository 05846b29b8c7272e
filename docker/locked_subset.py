"""Prints the part of a lock that is needed: ``locked_subset.py requirements.lock [names.in]``.

With a file of names: those packages, and whatever they want. Without: what meshcycle wants when it runs, with
the extras that are in the lock, and not what only its developers want. The lock says of every package which
others want it ("via"). Hashes and versions stay, and pip checks both.
"""

import re
import sys
from pathlib import Path

PROJECT = "meshcycle (pyproject.toml)"
"""What the lock calls meshcycle where it is run; its developers' groups have other names."""


def locked_subset(lock: str, names: set[str]) -> str:
    """Return the entries of the named packages, or of what `PROJECT` wants, and of everything that they need.

    Raises:
        SystemExit: A name is not in the lock.
    """
    entries = {entry.split("==")[0]: entry for entry in re.split(r"^(?=[a-z0-9])", lock, flags=re.M) if entry}
    missing = names - entries.keys() - {PROJECT}
    if missing:
        raise SystemExit(f"expected {', '.join(sorted(missing))} in the lock, found nothing of that name")
    wanted_by = {
        name: set(re.findall(r"^    #(?: via)? +([a-z0-9.-]+(?: \(.*\))?)$", entry, re.M))
        for name, entry in entries.items()
    }
    wanted = set(names)
    while more := {name for name, parents in wanted_by.items() if parents & wanted} - wanted:
        wanted |= more
    return "".join(entry for name, entry in entries.items() if name in wanted)


if __name__ == "__main__":
    lock_path, *in_paths = sys.argv[1:]
    given = " ".join(Path(path).read_text() for path in in_paths).split()
    sys.stdout.write(locked_subset(Path(lock_path).read_text(), set(given) or {PROJECT}))
