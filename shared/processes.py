"""The processes that train together, as ``torchrun`` announces them in the environment.

Without torchrun there is one process. PyTorch is not asked: commands want to know before it is loaded.
"""

import os
from typing import Final

from shared.errors import ConfigError

_TORCHRUN: Final = "TORCHELASTIC_RUN_ID"
"""Is there wherever torchrun starts a process; shells and queues leave the other variables behind as well."""
_ANNOUNCEMENTS: Final = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE")


def forget_leftovers() -> tuple[str, ...]:
    """Take away what looks like torchrun's announcements although torchrun did not start this process.

    PyTorch and Fabric would wait for processes that do not exist. Return the names of the variables.
    """
    if _TORCHRUN in os.environ:
        return ()
    found = tuple(name for name in _ANNOUNCEMENTS if name in os.environ)
    for name in found:
        del os.environ[name]
    return found


def is_first_process() -> bool:
    """Whether this is the process that renders, writes and reports for all of them."""
    return _announced("RANK", 0) == 0


def num_processes() -> int:
    """Return how many processes train together, on all machines."""
    return _announced("WORLD_SIZE", 1)


def num_processes_here() -> int:
    """Return how many of them run on this machine."""
    return _announced("LOCAL_WORLD_SIZE", 1)


def num_machines() -> int:
    """Return on how many machines they run."""
    return _announced("GROUP_WORLD_SIZE", 1)


def _announced(variable: str, otherwise: int) -> int:
    if _TORCHRUN not in os.environ:
        return otherwise
    text = os.environ.get(variable, str(otherwise))
    if not text.isdecimal():
        raise ConfigError(
            f"{variable} in the environment: expected a number, as torchrun sets it, found {text!r}.",
            remedy="Unset it, or start the processes with torchrun.",
        )
    return int(text)
