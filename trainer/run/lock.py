"""One trainer for one folder: a second one would delete or mix up what the first one writes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import ConfigError
from shared.storage.lock import take_lock

LOCK = "trainer.lock"


@contextmanager
def sole_trainer(run_dir: Path) -> Iterator[None]:
    """Keep other trainers out of a run's folder until the end of the block.

    A trainer that dies lets go at once.

    Raises:
        ConfigError: Another process trains there.
    """
    lock = take_lock(run_dir / LOCK)
    if lock is None:
        raise ConfigError(
            f"{run_dir}: expected a run without a trainer, found another trainer at work.",
            remedy="Wait for it, end it, or choose another run_dir.",
        )
    try:
        yield
    finally:
        lock.release()
