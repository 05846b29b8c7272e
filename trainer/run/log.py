"""What a run says about itself: losses, a line per round for people and for programs, TensorBoard."""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict

from torch.utils.tensorboard import SummaryWriter

from shared.storage.files import write_durably
from trainer.run.folder import RunFolder
from trainer.run.records import RoundRecord, read_records

logger = logging.getLogger(__name__)


class RunLog:
    """Writes the records of a run; only the first process has one.

    Args:
        run: Where to write.
        rounds: Of the run.
        start_step: Optimiser step at which this process begins; later entries of a killed one disappear.
        finished_rounds: Rounds whose training this process does not repeat; records of later ones, whose
            checkpoints were deleted, disappear.
    """

    def __init__(self, run: RunFolder, *, rounds: int, start_step: int, finished_rounds: int) -> None:
        self._run = run
        records = read_records(run)
        kept = [record for record in records if record.round < finished_rounds]
        if len(kept) < len(records):
            logger.warning(
                "%s: dropped %d rounds that are later than the checkpoint.",
                run.metrics,
                len(records) - len(kept),
            )
            self._write(kept)
        self._rounds = rounds
        self._board = SummaryWriter(str(run.tensorboard), purge_step=start_step)

    def step(self, step: int, *, loss: float, learning_rate: float) -> None:
        """Note how a step went."""
        self._board.add_scalar("step/loss", loss, step)
        self._board.add_scalar("step/learning_rate", learning_rate, step)

    def round(self, record: RoundRecord, *, step: int) -> None:
        """Note a finished round, once."""
        records = read_records(self._run)
        if any(earlier.round == record.round for earlier in records):
            return
        self._write([*records, record])
        for group in ("losses", "scores", "wall_s", "twins"):
            for name, value in getattr(record, group).items():
                self._board.add_scalar(f"{group}/{name}", value, step)
        if record.mean_staleness is not None:
            self._board.add_scalar("twins/mean_staleness", record.mean_staleness, step)
        self._board.flush()
        logger.info(record.to_text(rounds=self._rounds))

    def _write(self, records: Sequence[RoundRecord]) -> None:
        lines = [json.dumps(asdict(each)) + "\n" for each in records]
        write_durably(self._run.metrics, [line.encode() for line in lines])

    def close(self) -> None:
        """Finish the event file."""
        self._board.close()
