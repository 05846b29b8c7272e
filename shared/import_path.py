"""What other packages add: classes and functions by import path, ``package.module:Name``."""

from importlib import import_module
from typing import Annotated, Any, Final

from pydantic import StringConstraints

from shared.errors import ConfigError

PATTERN: Final = r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$"

ImportPath = Annotated[str, StringConstraints(pattern=PATTERN)]
"""``package.module:Name``."""


def load_by_path(path: str, *, key: str) -> Any:
    """Import what a path names.

    Args:
        path: ``package.module:Name``.
        key: Where it was given, for errors.

    Raises:
        ConfigError: There is no such module, it cannot be imported, or it has nothing of that name.
    """
    module_name, _, name = path.partition(":")
    try:
        module = import_module(module_name)
    except Exception as error:
        raise ConfigError(
            f"{key}: expected to import {module_name}, found {type(error).__name__}: {error}.",
            remedy="Install the package in the environment of meshcycle, or put its folder on PYTHONPATH.",
        ) from error
    if not hasattr(module, name):
        raise ConfigError(
            f"{key}: expected {name} in {module.__file__}, found none.",
            remedy="Correct the name after the colon.",
        )
    return getattr(module, name)
