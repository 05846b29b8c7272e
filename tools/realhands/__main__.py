"""Make the real photographs from a clone: ``python -m tools.realhands CLONE --out data/realhands``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from shared.errors import MeshcycleError
from tools.realhands.build import build
from tools.realhands.clone import REPOSITORY
from tools.realhands.labels import load_labels


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; a user's error ends it with one line and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m tools.realhands", description=__doc__)
    parser.add_argument("clone", metavar="CLONE", type=Path, help=f"Folder that git clone {REPOSITORY} made.")
    parser.add_argument("--out", type=Path, required=True, help="New or empty folder for the data set.")
    chosen = parser.parse_args(arguments)
    try:
        labels = load_labels()
        build(chosen.clone, chosen.out, labels)
    except MeshcycleError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)
    counts = ", ".join(f"{len(photos)} for {split}" for split, photos in labels.splits.items())
    print(f"{chosen.out}: {counts}; {len(labels.dropped)} photographs of the clone have no labels")


if __name__ == "__main__":
    main()
