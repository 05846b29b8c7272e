"""Opens the loggers that a configuration names; packages of others are imported only where they are named."""

import importlib.util
import logging
from collections.abc import Sequence
from typing import Final, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from lightning_fabric.loggers.logger import Logger

from shared.archives import in_one_line
from shared.errors import ConfigError
from trainer.config.run import TrainConfig
from trainer.config.sections import LoggerName
from trainer.run.folder import RunFolder

logger = logging.getLogger(__name__)

_EXTRAS: Final[tuple[LoggerName, ...]] = ("wandb", "mlflow")
"""Loggers whose packages an extra of the same name brings."""


@runtime_checkable
class ShowsPictures(Protocol):
    """A logger that takes pictures too; Fabric's interface knows numbers only."""

    def log_picture(self, name: str, rgb: UInt8[np.ndarray, "height width 3"], step: int) -> None:
        """Show a picture at a step."""


def require_loggers(config: TrainConfig) -> None:
    """Make sure that the packages of all loggers are there.

    Raises:
        ConfigError: One is missing.
    """
    for name in config.log.to:
        if name in _EXTRAS and not _is_installed(name):
            raise ConfigError(
                f"log.to: expected the package {name}, found none.",
                remedy=f"Install it with pip install 'meshcycle[{name}]', or leave {name} out of log.to.",
            )


def _is_installed(package: str) -> bool:
    """Tell whether a package can be imported; a folder of that name, as wandb leaves them, is none."""
    spec = importlib.util.find_spec(package)
    return spec is not None and spec.origin is not None


def open_loggers(config: TrainConfig, run: RunFolder, *, start_step: int) -> list[Logger]:
    """Open all loggers of a run.

    Args:
        config: Of the run.
        run: Its folder, where those without a server write.
        start_step: Optimiser step at which this process begins: what a killed one has said of later steps
            disappears from files; servers keep it, and wandb takes it once, MLflow again.

    Raises:
        ConfigError: A logger cannot begin, as without a network or a key.
    """
    opened: list[Logger] = []
    for name in config.log.to:
        try:
            opened.append(_open(name, config, run, start_step))
        except Exception as error:  # of a package of others, or of its server
            close_loggers(opened, failed=True)
            raise ConfigError(
                f"log.to: expected {name} to begin, found {in_one_line(error)}.",
                remedy=f"Look after it, or leave {name} out of log.to.",
            ) from error
    return opened


def _open(name: LoggerName, config: TrainConfig, run: RunFolder, start_step: int) -> Logger:
    match name:
        case "tensorboard":
            from trainer.run.loggers.files import TensorBoard

            return TensorBoard(run, start_step=start_step)
        case "csv":
            from trainer.run.loggers.files import open_csv

            return open_csv(run, start_step=start_step)
        case "wandb":
            from trainer.run.loggers.weights_and_biases import WeightsAndBiases

            return WeightsAndBiases(config, run)
        case "mlflow":
            from trainer.run.loggers.ml_flow import MLflow

            return MLflow(config, run)


def close_loggers(loggers: Sequence[Logger], *, failed: bool) -> None:
    """Finish what the loggers write; one that cannot is named in a warning, and stands in nobody's way."""
    for each in loggers:
        try:
            each.finalize("failed" if failed else "success")
        except Exception as error:  # of a package of others, or of its server
            logger.warning("%s could not be finished: %s", type(each).__name__, in_one_line(error))
