"""A place is a path or a URL. This module loads nothing, for the sake of `meshcycle --help`."""

from pathlib import Path

type Location = Path | str
"""A path, or a URL of any kind that fsspec knows, such as ``s3://bucket/folder``."""


def is_url(place: Location) -> bool:
    """Whether a place is a URL."""
    return isinstance(place, str) and "://" in place
