"""The configuration that a run has stored: absolute paths, which follow a run that moved with its data."""

import os
from pathlib import Path

from shared.storage.files import write_durably
from trainer.config.places import absolute, with_paths
from trainer.config.run import TrainConfig, load_config
from trainer.config.toml import to_toml

CONFIG = "config.toml"
"""Stored in the folder of a run, and beside every checkpoint."""


def write_config(config: TrainConfig, folder: Path) -> None:
    """Write a configuration down so that it means the same from any working directory."""
    write_durably(folder / CONFIG, [to_toml(with_paths(config, absolute)).encode()])


def read_config(folder: Path, *, run_dir: Path) -> TrainConfig:
    """Read the stored configuration of a run.

    A path at which there is nothing is looked for where it would be if everything had moved with the run: of
    ``/a/data`` and a run in ``/a/run`` that is now ``/b/run``, this is ``/b/data``.

    Args:
        folder: Of the run, or of one of its checkpoints.
        run_dir: Where the run is now.

    Raises:
        ConfigError: The file cannot be used.
    """
    stored = load_config(folder / CONFIG)
    now = absolute(run_dir)

    def found(path: Path) -> Path:
        moved = moved_with(path, stored.run_dir, now)
        return moved if not _is_there(path) and _is_there(moved) else path

    return with_paths(stored, found)


def _is_there(path: Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110  # Path.exists raises for names that are too long


def moved_with(path: Path, before: Path, now: Path) -> Path:
    """Return where a path would be if it had moved together with a folder."""
    return absolute(now / os.path.relpath(path, before)) if path.is_absolute() else path
