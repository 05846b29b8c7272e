"""Prints the part of a lock that some packages need: ``locked_subset.py requirements.lock names.in``.

The lock says of every package which others want it ("via"); so whatever a wanted package wants is wanted too.
Hashes and versions stay, and pip checks both.
"""

import re
import sys
from pathlib import Path


def locked_subset(lock: str, names: set[str]) -> str:
    """Return the entries of the named packages and of everything that they need.

    Raises:
        SystemExit: A name is not in the lock.
    """
    entries = {entry.split("==")[0]: entry for entry in re.split(r"^(?=[a-z0-9])", lock, flags=re.M) if entry}
    missing = names - entries.keys()
    if missing:
        raise SystemExit(f"expected {', '.join(sorted(missing))} in the lock, found nothing of that name")
    wanted_by = {
        name: set(re.findall(r"^    #(?: via)? +([a-z0-9.-]+)", entry, re.M))
        for name, entry in entries.items()
    }
    wanted = set(names)
    while more := {name for name, parents in wanted_by.items() if parents & wanted} - wanted:
        wanted |= more
    return "".join(entry for name, entry in entries.items() if name in wanted)


if __name__ == "__main__":
    sys.stdout.write(locked_subset(Path(sys.argv[1]).read_text(), set(Path(sys.argv[2]).read_text().split())))
