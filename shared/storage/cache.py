"""Where everything is stored that can be made or fetched again."""

import os
from pathlib import Path
from typing import Final

from shared.storage.own_way import require_own_way

DEFAULT_CACHE_MB: Final = 20_000
"""Bound of what is kept of the twins that are at URLs."""


def cache_root() -> Path:
    """Return the user's cache directory; it may not exist yet.

    That is ``$MESHCYCLE_CACHE``, else ``$XDG_CACHE_HOME/meshcycle``, else ``~/.cache/meshcycle``.

    Raises:
        StorageError: A link of somebody else's leads there.
    """
    root = _named_root()
    require_own_way(root)
    return root


def cache_folder(name: str) -> Path:
    """Return a folder in the user's cache directory; it may not exist yet.

    Raises:
        StorageError: A link of somebody else's leads there.
    """
    folder = _named_root() / name
    require_own_way(folder)
    return folder


def _named_root() -> Path:
    root = os.environ.get("MESHCYCLE_CACHE")
    if root is not None:
        return Path(root)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "meshcycle"
