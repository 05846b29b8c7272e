"""Loggers that write into the folder of the run: Fabric's own, continued where a resumed run continues."""

import csv
from pathlib import Path
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
    """Return a logger that writes ``RUN/csv/metrics.csv``, with the rows that are there before a step.

    The old file lies beside the folder until they are written again, so a kill in between loses none.
    """
    path, before = run.root / _CSV / "metrics.csv", run.root / ".metrics.csv"
    rows = _rows_before(start_step, before if before.exists() else path)
    if before.exists():
        path.unlink(missing_ok=True)  # which a killed process has begun
    elif path.exists():
        path.replace(before)
    logger = CSVLogger(run.root, name="", version=_CSV, flush_logs_every_n_steps=1)
    for step, values in rows:
        logger.experiment.log_metrics(values, step)
    if rows:
        logger.save()
    before.unlink(missing_ok=True)
    return logger


def _rows_before(start_step: int, path: Path) -> list[tuple[int, dict[str, float]]]:
    """Return steps and their numbers; what a kill left of a row is none."""
    if not path.exists():
        return []
    whole_lines = path.read_text("utf-8", errors="replace").rpartition("\n")[0]
    rows = []
    for row in csv.DictReader(whole_lines.splitlines()):
        try:
            values = {key: float(value) for key, value in row.items() if value and key != "step"}
            step = int(row["step"])
        except (KeyError, TypeError, ValueError):
            continue
        if step < start_step:
            rows.append((step, values))
    return rows
