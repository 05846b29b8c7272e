"""Twins for the rounds of a run: predict the training photographs, have the predictions rendered.

Alternating, a round ends when its predictions are rendered. Overlapping, it ends when those of the round
before are, and its own are rendered while the next round trains. Labels that are drawn instead of predictions
(Table 3) need no network: a round's twins are drawn before it begins, and stored under its own number.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import torch
from lightning_fabric import Fabric

from shared.errors import ConfigError, StorageError
from shared.seams.renderer import Renderer
from shared.twins.rounds import SyntheticRound
from trainer.config.run import TrainConfig
from trainer.data.sources import Source
from trainer.networks.base import HandNetwork
from trainer.recycle.counts import TwinCounts
from trainer.recycle.prediction_shards import PredictionShards
from trainer.recycle.rendering import RoundRenderer
from trainer.recycle.schedule import TwinSchedule
from trainer.run.checkpoint import WEIGHTS, CheckpointId
from trainer.run.folder import RunFolder
from trainer.run.processes import PATIENCE

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Twins:
    """The twins that a round trains with.

    Attributes:
        folder: Committed round of renders; None if the round trains without twins.
        staleness: Number of twins by the rounds between the weights that predicted them and this round. 0 is
            as fresh as in the paper: predicted by the weights that the round begins with. Labels do not age.
    """

    folder: Path | None = None
    staleness: Mapping[str, int] = field(default_factory=dict)


def require_renderer(renderer: Renderer | None) -> Renderer:
    """Return the renderer of a run that recycles.

    Raises:
        ConfigError: There is none.
    """
    if renderer is None:
        raise ConfigError(
            "recycle: expected a renderer for the twins, found none.",
            remedy="Leave the table [recycle] out.",
        )
    return renderer


class Recycler:
    """Makes the twins of a run, and knows which round trains with which.

    Leaving it as a context stops a render that is under way; resuming the run continues it.

    Args:
        fabric: The processes; each predicts some shards, and the first has them rendered.
        run: Where predictions and renders are stored.
        config: Of the run.
        sources: What the run learns from; some or all of them get twins.
        renderer: Needed by the first process of a run that recycles.
        good_since: Tells the first round that was good enough to be drawn, see `TwinSchedule`.

    Raises:
        ConfigError: The run recycles and there is no renderer.
    """

    def __init__(
        self,
        fabric: Fabric,
        run: RunFolder,
        config: TrainConfig,
        sources: Sequence[Source],
        *,
        renderer: Renderer | None,
        good_since: Callable[[], int | None] = lambda: 0,
    ) -> None:
        self._run, self._recycle = run, config.recycle
        self._schedule = TwinSchedule(config.recycle, config.rounds, good_since=good_since)
        self._shards = PredictionShards(fabric, run, config, sources)
        self._rendering: RoundRenderer | None = None
        if config.recycle is not None and fabric.is_global_zero:
            self._rendering = RoundRenderer(run, config, config.recycle, require_renderer(renderer))
        # NCCL would keep every GPU busy waiting while the first process renders.
        self._waiting_group = (
            torch.distributed.new_group(backend="gloo", timeout=PATIENCE) if fabric.world_size > 1 else None
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._rendering is not None:
            self._rendering.stop()

    def resume(self, start: CheckpointId) -> None:
        """Prepare what the run needs before it trains: drawn labels, or renders that a kill left unfinished.

        Args:
            start: Where the run begins or resumes.

        Raises:
            MeshcycleError: An error of the renderer.
        """
        if self._recycle is not None and self._recycle.source == "ground_truth":
            if not start.ended:
                self._draw_labels(start.round_index)
            return
        newest = self._schedule.drawn_before(start.round_index)
        if self._rendering is not None:
            for round_index in range(max(0, newest + start.ended), start.round_index):
                if self._schedule.is_drawn(round_index):
                    self._rendering.begin(round_index, self._weights(round_index))
                if round_index <= newest:
                    self._rendering.finish()
        self._wait()

    def twins_of(self, round_index: int) -> Twins:
        """Return the twins that a round trains with."""
        drawn = self._schedule.twins_of(round_index)
        if drawn is None or self._recycle is None:
            return Twins()
        folder = self._run.synthetic(drawn)
        if self._recycle.source == "ground_truth":
            return Twins(folder)
        counts = SyntheticRound.open(folder).count_by_round()
        return Twins(
            folder, {str(round_index - 1 - age): counts[age] for age in sorted(counts, reverse=True)}
        )

    def end_round(
        self, round_index: int, network: HandNetwork, *, lap: Callable[[str], None] = lambda _: None
    ) -> TwinCounts:
        """Make the twins of a later round, if it trains with any, and delete rounds that nobody needs.

        Alternating, this renders the predictions of the round. Overlapping, it waits for those of the round
        before, and begins to render those of this one.

        Args:
            round_index: Round whose training has just ended.
            network: As it is then.
            lap: Called with the name of every stage, ``predict`` and ``render``, when it has ended.

        Returns:
            Counts of the twins that the next round trains with.

        Raises:
            MeshcycleError: An error of the renderer; overlapping, perhaps one of the round before.
        """
        if self._recycle is not None and self._recycle.source == "ground_truth":
            if round_index + 1 < self._schedule.rounds:
                self._draw_labels(round_index + 1)
                lap("render")
            return self._counts(round_index + 1)
        is_drawn = self._schedule.is_drawn(round_index)
        newest = self._schedule.drawn_before(round_index + 1)
        if is_drawn:
            asks = self._recycle is not None and self._recycle.samples == "hard"
            shown = self.twins_of(round_index).folder if asks else None
            self._shards.predict(round_index, network, twins=shown)
            self._wait()
            lap("predict")
        if is_drawn or self._schedule.is_drawn(newest):
            self._render(round_index, newest=newest)
            lap("render")
        return self._counts(newest)

    def _render(self, round_index: int, *, newest: int) -> None:
        """Finish the render that is under way, begin that of a round, and delete old rounds."""
        if self._rendering is not None:
            self._rendering.finish()
            if self._schedule.is_drawn(round_index):
                self._rendering.begin(round_index, self._weights(round_index))
        self._wait()
        if self._rendering is not None and self._recycle is not None and self._schedule.is_drawn(newest):
            self._forget_rounds(before=newest - self._recycle.keep_rounds + 1)

    def _draw_labels(self, round_index: int) -> None:
        """Have the labels drawn as the twins of a round, as the refresh policy says; delete old rounds."""
        self._shards.copy_labels(round_index)
        self._wait()
        if self._rendering is not None and self._recycle is not None:
            self._rendering.begin(round_index, None)
            self._forget_rounds(before=round_index - self._recycle.keep_rounds + 1)
        self._wait()

    def _forget_rounds(self, *, before: int) -> None:
        """Delete old rounds; those at a URL that does not answer are deleted after a later round."""
        try:
            self._run.forget_rounds(before=before)
        except StorageError as error:
            logger.warning("Old twins stay, to be deleted after the next round: %s", error)

    def _counts(self, round_index: int) -> TwinCounts:
        """Count the twins rendered from the predictions of a round; only the first process does."""
        if self._rendering is None:
            return TwinCounts()
        return TwinCounts.of(self._run, round_index, self._rendering.renders)

    def _weights(self, round_index: int) -> Path:
        """Return the weights at the end of a round."""
        return self._run.checkpoints / CheckpointId(round_index).name / WEIGHTS

    def _wait(self) -> None:
        """Wait for the other processes."""
        if self._waiting_group is not None:
            torch.distributed.barrier(group=self._waiting_group)
