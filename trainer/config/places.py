"""Where the files of a configuration are.

Relative to the working directory in a file that a person writes, absolute in the one that a run stores.

"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel

from shared.storage.location import Location, is_url


def _path_unless_url(given: Location) -> Location:
    return given if is_url(given) else Path(given)


Place = Annotated[Location, AfterValidator(_path_unless_url)]
"""A URL as text, and everything else as a path."""


def with_paths[Value](value: Value, change: Callable[[Path], Path]) -> Value:
    """Return a configuration, or a part of one, in which every path has been changed."""
    changed: Any = value
    match value:
        case Path():
            changed = change(value)
        case BaseModel():
            names = type(value).model_fields
            changed = value.model_copy(
                update={name: with_paths(getattr(value, name), change) for name in names}
            )
        case tuple() | list():
            changed = type(value)(with_paths(each, change) for each in value)
        case dict():
            changed = {key: with_paths(each, change) for key, each in value.items()}
    return changed  # type: ignore[no-any-return]


def absolute(path: Path) -> Path:
    """Return where a path leads from any working directory; a link stays a link."""
    return Path(os.path.abspath(path))  # noqa: PTH100  # Path.absolute would keep ".."
