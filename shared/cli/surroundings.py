"""What every command needs around it: a working directory, a temporary folder, a sane environment."""

import logging
import os
from pathlib import Path

from shared.errors import ConfigError
from shared.processes import forget_leftovers
from shared.storage.temporary import require_temporary_folder

logger = logging.getLogger(__name__)


def require_surroundings() -> None:
    """Make sure of them before anything is loaded that would die without.

    Raises:
        ConfigError: The working directory is gone.
        StorageError: There is no room for temporary files.
    """
    try:
        Path.cwd()
    except OSError as error:
        raise ConfigError(
            f"working directory: expected a folder, found {error.strerror}: it was probably deleted.",
            remedy="Go to another one with `cd`.",
        ) from error
    # PyTorch's threads would otherwise spin while they wait, on cores that Blender and data loading need.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    require_temporary_folder()
    if found := forget_leftovers():
        logger.warning("%s in the environment: not set by torchrun, and ignored.", ", ".join(found))
