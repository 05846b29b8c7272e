"""Where the repository is."""

from pathlib import Path

import shared

ROOT = Path(__file__).parents[2]
"""Folder of README.md, configs and tests."""

SOURCES = Path(shared.__file__).parents[1]
"""Folder of our packages: the repository's, or the one that they are installed in."""
