"""One trainer for one folder: a second one would delete or mix up what the first one writes."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import ConfigError

_LOCK = "trainer.lock"


@contextmanager
def sole_trainer(run_dir: Path) -> Iterator[None]:
    """Keep other trainers out of a run's folder until the end of the block.

    A trainer that dies lets go at once: workers that it forked do not inherit the lock.

    Raises:
        ConfigError: Another process trains there.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    with (run_dir / _LOCK).open("w") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            raise ConfigError(
                f"{run_dir}: expected a folder that nobody trains in, found another trainer at work there.",
                remedy="Wait for it, end it, or choose another run_dir.",
            ) from error
        yield
