"""What a run says about itself: losses, a line per round for people and for programs, loggers."""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Final

import numpy as np
from jaxtyping import UInt8
from lightning_fabric.loggers.logger import Logger

from shared.archives import in_one_line
from shared.storage.files import write_durably
from trainer.run.folder import RunFolder
from trainer.run.loggers.opening import ShowsPictures, close_loggers
from trainer.run.records import RoundRecord, read_records

logger = logging.getLogger(__name__)


PICTURES: Final = "pictures"
"""What loggers call the pictures of a round."""

type Picture = UInt8[np.ndarray, "height width 3"]
type Draw = Callable[[], Picture]


class RunLog:
    """Writes the records of a run; only the first process has one.

    Args:
        run: Where to write.
        rounds: Of the run.
        finished_rounds: Rounds whose training this process does not repeat; records of later ones, whose
            checkpoints were deleted, disappear.
        loggers: That are told too. One that fails is closed and not told any more, and the run goes on.
    """

    def __init__(
        self, run: RunFolder, *, rounds: int, finished_rounds: int, loggers: Sequence[Logger] = ()
    ) -> None:
        self._run, self._rounds, self._loggers = run, rounds, list(loggers)
        records = read_records(run)
        kept = [record for record in records if record.round < finished_rounds]
        if len(kept) < len(records):
            logger.warning(
                "%s: dropped %d rounds that are later than the checkpoint.",
                run.metrics,
                len(records) - len(kept),
            )
            self._write(kept)

    def step(self, step: int, *, loss: float, learning_rate: float) -> None:
        """Note how a step went."""
        self._tell({"step/loss": loss, "step/learning_rate": learning_rate}, step)

    def round(self, record: RoundRecord, *, last_step: int, draw: Draw | None = None) -> None:
        """Note a finished round: once in the records, while loggers are told again after a kill in between.

        Args:
            record: Of the round.
            last_step: Of the round; a run that resumes with the next one keeps what was said of it.
            draw: Makes the pictures of the round, if a logger shows any.
        """
        records = read_records(self._run)
        if any(earlier.round == record.round for earlier in records):
            return
        numbers = {
            f"{group}/{name}": value
            for group in ("losses", "scores", "wall_s", "twins")
            for name, value in getattr(record, group).items()
        }
        if record.mean_staleness is not None:
            numbers["twins/mean_staleness"] = record.mean_staleness
        self._tell(numbers, last_step, picture=self._drawn(draw), ends_round=True)
        self._write([*records, record])
        logger.info(record.to_text(rounds=self._rounds))

    def _drawn(self, draw: Draw | None) -> Picture | None:
        """Draw the pictures of a round, if a logger shows any; a run does not end for their sake."""
        if draw is None or not any(isinstance(each, ShowsPictures) for each in self._loggers):
            return None
        try:
            return draw()
        except Exception as error:  # whatever reading twins and predicting may bring
            logger.warning("the pictures of a round could not be drawn: %s", in_one_line(error))
            return None

    def _tell(
        self,
        numbers: Mapping[str, float],
        step: int,
        *,
        picture: Picture | None = None,
        ends_round: bool = False,
    ) -> None:
        """Tell all loggers, which write down what they have at the end of a round."""
        for each in list(self._loggers):
            try:
                each.log_metrics(dict(numbers), step)
                if picture is not None and isinstance(each, ShowsPictures):
                    each.log_picture(PICTURES, picture, step)
                if ends_round:
                    each.save()
            except Exception as error:  # of a package of others, or of its server
                self._loggers.remove(each)
                logger.warning(
                    "%s failed and is not told any more: %s", type(each).__name__, in_one_line(error)
                )
                close_loggers([each], failed=True)

    def _write(self, records: Sequence[RoundRecord]) -> None:
        lines = [json.dumps(asdict(each)) + "\n" for each in records]
        write_durably(self._run.metrics, [line.encode() for line in lines])

    def close(self, *, failed: bool = False) -> None:
        """Finish what the loggers write."""
        close_loggers(self._loggers, failed=failed)
