"""What ``doctor`` looks at for the names of our packages, which are common words."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from shared.errors import ConfigError

_NAMES: Final = ("bg_filter", "cli", "render_worker", "shared", "trainer")
_ROOT: Final = Path(__file__).resolve().parents[2]


def own_names() -> str:
    """Say which strangers' files have the name of one of our packages, and make sure that they do not count.

    Raises:
        ConfigError: Python imports such a file in the place of ours.
    """
    for name in _NAMES:
        spec = find_spec(name)
        origin = Path(spec.origin).resolve() if spec is not None and spec.origin else None
        if origin is None or not origin.is_relative_to(_ROOT):
            raise ConfigError(
                f"import {name}: expected the one of meshcycle in {_ROOT}, found {origin or 'a folder'}.",
                remedy="Rename it, or use the command `meshcycle`, which looks past it.",
            )
    paths = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    strangers = [
        str(path)
        for folder in dict.fromkeys(Path(place).resolve() for place in (".", *paths))
        if folder != _ROOT
        for name in _NAMES
        for path in (folder / name, folder / f"{name}.py")
        if path.exists()
    ]
    if not strangers:
        return f"{', '.join(_NAMES)} are those of {_ROOT}"
    return f"not used, although named like a part of meshcycle: {', '.join(strangers)}"
