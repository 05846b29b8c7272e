"""Whose a run's folder is: that of one trainer at a time, and never anything else than a run's.

A run that begins anew deletes nothing: the old one is moved aside with one rename, to a numbered name.
"""

import errno
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import ConfigError
from shared.storage.files import sweep_leftovers
from shared.storage.own_way import require_own_way
from trainer.run.checkpoint import latest_checkpoint
from trainer.run.folder import RunFolder
from trainer.run.lock import LOCK, sole_trainer
from trainer.run.provenance import PROVENANCE
from trainer.run.stored_config import CONFIG

logger = logging.getLogger(__name__)

_LEVELS = 2
"""Of folders in a run: ``synthetic/round-0003``."""
_OTHER_REMEDY = "Choose another run_dir; nothing was changed."


@contextmanager
def claimed_run(run_dir: Path, *, resume: bool) -> Iterator[None]:
    """Keep a run's folder for this trainer until the end of the block.

    Args:
        run_dir: Of the run; made if it is missing.
        resume: Go on with what is there. Otherwise it is moved aside, and also if metrics are left but no
            checkpoint to go on from.

    Raises:
        ConfigError: The folder is no run's, or another process trains there.
    """
    require_run_or_nothing(run_dir)
    with sole_trainer(run_dir):
        run = RunFolder(run_dir)
        is_headless = run.metrics.exists() and latest_checkpoint(run.checkpoints) is None
        if resume and not is_headless:
            _sweep(run_dir)
            yield
            return
        if _has_begun(run_dir):
            logger.info("The earlier run is now in %s.", move_aside(run_dir))
    with sole_trainer(run_dir.resolve()):  # the lock went with the old run; a link stays a link
        yield


def require_run_or_nothing(run_dir: Path) -> None:
    """Make sure that a folder is a run's, or free.

    Raises:
        ConfigError: It is the working directory, holds that, or holds files that no run has put there.
        StorageError: A link of somebody else's leads there, or away from there.
    """
    require_own_way(run_dir, depth=_LEVELS)
    folder = run_dir.resolve()
    if Path.cwd().is_relative_to(folder):
        raise ConfigError(
            f"run_dir: expected a folder of its own, found one that holds the working directory, {folder}.",
            remedy=_OTHER_REMEDY,
        )
    if not folder.is_dir():
        if folder.exists() or run_dir.is_symlink():
            raise ConfigError(f"{run_dir}: expected a folder for a run, found none.", remedy=_OTHER_REMEDY)
        return
    if (folder / PROVENANCE).exists() or ((folder / CONFIG).exists() and (folder / LOCK).exists()):
        return
    strangers = [
        entry.name
        for entry in folder.iterdir()
        if not entry.name.startswith(".")
        and entry.name != LOCK
        and not entry.match("coarse-mesh-*.npz")
        and not (entry.is_dir() and next(entry.iterdir(), None) is None)
    ]
    if strangers:
        raise ConfigError(
            (
                f"{run_dir}: expected the folder of a run ({CONFIG}, {PROVENANCE}) or an empty one, "
                f"found {min(strangers)}."
            ),
            remedy=_OTHER_REMEDY,
        )


def move_aside(run_dir: Path) -> Path:
    """Rename a run's folder to the first free numbered name beside it, and return that.

    Raises:
        ConfigError: It cannot be renamed, for example because a disk is mounted there.
    """
    folder = run_dir.resolve()
    number = 1
    while True:
        aside = folder.with_name(f"{folder.name}.{number}")
        try:
            if not os.path.lexists(aside):
                folder.rename(aside)
                return aside
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                raise ConfigError(
                    f"{run_dir}: expected to move the earlier run to {aside}, found {error.strerror}.",
                    remedy="Move it yourself, or choose another run_dir.",
                ) from error
        number += 1


def _has_begun(run_dir: Path) -> bool:
    """Whether there is more than a lock and what can be made again."""
    return any((run_dir / name).exists() for name in (CONFIG, PROVENANCE))


def _sweep(run_dir: Path) -> None:
    """Delete the temporary files of trainers that were killed."""
    for folder in (run_dir, *run_dir.glob("*/"), *run_dir.glob("*/*/")):
        sweep_leftovers(folder)
