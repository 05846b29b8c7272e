"""The names of our parts are common words, which a stranger's folder or file may have as well.

A ``trainer/`` on PYTHONPATH would be imported in the place of ours. This module imports nothing of ours. Its
own package has a name that nobody else uses, and sees to it that the common names mean ours.
"""

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Final

NAMES: Final = frozenset({"bg_filter", "cli", "render_worker", "shared", "trainer"})
ROOT: Final = Path(__file__).resolve().parents[1]
"""Folder that holds them."""


class OwnNames(MetaPathFinder):
    """Finds our parts beside this package, whatever comes first on the path."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where one of our parts is; None for every other module."""
        del path  # of the package that a module is in, and ours are in none
        if fullname not in NAMES:
            return None
        return PathFinder.find_spec(fullname, [str(ROOT)], target)


def claim_names() -> None:
    """Have this process import our parts by their names from now on."""
    if not any(isinstance(finder, OwnNames) for finder in sys.meta_path):
        sys.meta_path.insert(0, OwnNames())


def claim_names_in_children() -> None:
    """Have the Python processes that this one starts do the same: Ray's, and the checks of ``doctor``.

    They look for modules beside this package first, and not in the working directory.
    """
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([str(ROOT), *filter(None, given)]))
    os.environ["PYTHONSAFEPATH"] = "1"
