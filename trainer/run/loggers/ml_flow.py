"""MLflow as a logger of Lightning Fabric.

Lightning's own adapter is in PyTorch Lightning, which nothing else here needs. The server and the experiment
are said by MLflow's own variables, ``MLFLOW_TRACKING_URI`` and ``MLFLOW_EXPERIMENT_NAME``.
"""

import logging
import os
import time
from argparse import Namespace
from collections.abc import Mapping
from itertools import batched
from typing import Any, Final

import numpy as np
from jaxtyping import UInt8
from lightning_fabric.loggers.logger import Logger
from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from trainer.config.run import TrainConfig
from trainer.run.folder import RunFolder, flat_values
from trainer.run.loggers.run_ids import read_id, write_id

logger = logging.getLogger(__name__)

_MOST_PARAMS: Final = 100
"""That a server takes at a time."""


class MLflow(Logger):
    """One run at MLflow; a resumed run goes on there.

    Args:
        config: Of the run, kept there too.
        run: Its folder: without a server, ``RUN/mlflow`` holds everything, and ``mlflow ui`` shows it.
    """

    def __init__(self, config: TrainConfig, run: RunFolder) -> None:
        self._run, self._folder = run, run.root.absolute() / "mlflow"
        server = os.environ.get("MLFLOW_TRACKING_URI")
        if server is None:
            self._folder.mkdir(exist_ok=True)
        self._client = MlflowClient(server or f"sqlite:///{self._folder / 'mlflow.db'}")
        before = read_id(run, "mlflow")
        if before is not None:
            self._client.update_run(before, status="RUNNING")
        self._id = before or self._begin(config, artifacts=None if server else str(self._folder))
        logger.info("MLflow: run %s at %s", self._id, self._client.tracking_uri)

    def _begin(self, config: TrainConfig, *, artifacts: str | None) -> str:
        """Create the run, and keep its configuration there."""
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "meshcycle")
        found = self._client.get_experiment_by_name(name)
        experiment = (
            found.experiment_id
            if found
            else self._client.create_experiment(name, artifact_location=artifacts)
        )
        run_id: str = self._client.create_run(experiment, run_name=self.name).info.run_id
        write_id(self._run, "mlflow", run_id)
        params = [Param(key, str(value)) for key, value in flat_values(config).items()]
        for some in batched(params, _MOST_PARAMS, strict=False):
            self._client.log_batch(run_id, params=list(some))
        return run_id

    @property
    def name(self) -> str:
        """Its name at MLflow."""
        return self._run.root.name

    @property
    def version(self) -> str:
        """Its id at MLflow."""
        return self._id

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Note numbers of a step."""
        now_ms = time.time_ns() // 1_000_000
        self._client.log_batch(
            self._id, metrics=[Metric(key, value, now_ms, step or 0) for key, value in metrics.items()]
        )

    def log_picture(self, name: str, rgb: UInt8[np.ndarray, "height width 3"], step: int) -> None:
        """Show a picture at a step."""
        self._client.log_image(self._id, rgb, key=name, step=step)

    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the configuration is there from the beginning."""

    def finalize(self, status: str) -> None:
        """End the run."""
        self._client.set_terminated(self._id, status="FINISHED" if status == "success" else "FAILED")
