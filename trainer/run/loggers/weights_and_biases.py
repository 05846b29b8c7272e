"""Weights & Biases as a logger of Lightning Fabric.

Lightning's own adapter is in PyTorch Lightning, which nothing else here needs. Project, entity, and whether
there is a network, are said by wandb's own variables: ``WANDB_PROJECT``, ``WANDB_ENTITY``, ``WANDB_MODE``.
"""

import logging
import os
import secrets
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

import numpy as np
import wandb
from jaxtyping import UInt8
from lightning_fabric.loggers.logger import Logger

from trainer.config.run import TrainConfig
from trainer.run.folder import RunFolder
from trainer.run.loggers.run_ids import read_id, write_id

logger = logging.getLogger(__name__)


class WeightsAndBiases(Logger):
    """One run at wandb; a resumed run goes on there.

    Args:
        config: Of the run, kept there too.
        run: Its folder: ``RUN/wandb`` holds what is uploaded, or will be by ``wandb sync``.
    """

    def __init__(self, config: TrainConfig, run: RunFolder) -> None:
        before = read_id(run, "wandb")
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "meshcycle"),
            name=run.root.name,
            id=before or secrets.token_hex(4),
            resume="allow" if before else None,
            dir=run.root,
            config=config.model_dump(mode="json"),
            settings=wandb.Settings(console="off", silent=True),
        )
        write_id(run, "wandb", self._run.id)
        logger.info("Weights & Biases: %s", self._run.url or f"wandb sync {self._run.dir}")

    @property
    def name(self) -> str:
        """Its name at wandb."""
        return str(self._run.name)

    @property
    def version(self) -> str:
        """Its id at wandb."""
        return str(self._run.id)

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Note numbers of a step; those of an earlier one than the last are there already."""
        self._run.log(dict(metrics), step=step)

    def log_picture(self, name: str, rgb: UInt8[np.ndarray, "height width 3"], step: int) -> None:
        """Show a picture at a step."""
        self._run.log({name: wandb.Image(rgb)}, step=step)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the configuration is there from the beginning."""

    def finalize(self, status: str) -> None:
        """End the run, and wait until all is uploaded."""
        self._run.finish(exit_code=0 if status == "success" else 1)
