"""Loggers that write into the folder of the run: Fabric's own, continued where a resumed run continues."""

import csv
from typing import Final

import numpy as np
from jaxtyping import UInt8
from lightning_fabric.loggers.csv_logs import CSVLogger
from lightning_fabric.loggers.tensorboard import TensorBoardLogger

from trainer.run.folder import RunFolder

_CSV: Final = "csv"


class TensorBoard(TensorBoardLogger):
    """Event files in ``RUN/tensorboard``.

    Args:
        run: The folder.
        start_step: Step at which this process begins; what is there of later ones disappears.
    """

    def __init__(self, run: RunFolder, *, start_step: int) -> None:
        super().__init__(run.tensorboard.parent, name="", version=run.tensorboard.name, purge_step=start_step)

    def log_picture(self, name: str, rgb: UInt8[np.ndarray, "height width 3"], step: int) -> None:
        """Show a picture at a step."""
        self.experiment.add_image(name, rgb, step, dataformats="HWC")


def open_csv(run: RunFolder, *, start_step: int) -> CSVLogger:
    """Return a logger that writes ``RUN/csv/metrics.csv``, with the rows that are there before a step."""
    path = run.root / _CSV / "metrics.csv"
    rows = []
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if int(row["step"]) < start_step]
        path.unlink()
    logger = CSVLogger(run.root, name="", version=_CSV)
    for row in rows:
        step = int(row.pop("step"))
        logger.log_metrics({key: float(value) for key, value in row.items() if value}, step)
    if rows:
        logger.save()
    return logger
