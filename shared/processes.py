"""The processes that train together, as ``torchrun`` announces them in the environment.

Without torchrun there is one process. PyTorch is not asked: commands want to know before it is loaded.
"""

import os


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
    return int(os.environ.get(variable, otherwise))
