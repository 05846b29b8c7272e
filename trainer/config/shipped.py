"""The configurations that come with the package, by name. Nothing is loaded, for the sake of ``--help``."""

from pathlib import Path

_PLACES = (Path(__file__).parents[1] / "configs", Path(__file__).parents[2] / "configs")
"""In a wheel, and in a checkout."""


def shipped_configs() -> dict[str, Path]:
    """Return them by their names, which have no suffix."""
    return {path.stem: path for folder in _PLACES for path in sorted(folder.glob("*.toml"))}
