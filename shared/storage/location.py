"""A location is a path or a URL. This module loads nothing, for the sake of `meshcycle --help`."""

from pathlib import Path

type Location = Path | str
"""A path, or a URL of any kind that fsspec knows, such as ``s3://bucket/folder``."""


def is_url(location: Location) -> bool:
    """Whether a location is a URL."""
    return isinstance(location, str) and "://" in location
