"""The batches that a training process learns from, and the time that it spends waiting for them."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from shared.freihand import FreiHandSplit
from trainer.config.run import TrainConfig
from trainer.data.dataset import HandDataset, LoadedBatch
from trainer.data.sampling import ShuffledBatches
from trainer.data.workers import BatchPlan, load_batches, one_line_errors


class RoundLoader:
    """One process's batches, round by round; data-loading processes live as long as this.

    Args:
        split: The training photographs and labels.
        indices: Which of them to learn from.
        config: Of the run.
        rank: This process.
        world_size: Processes that train together.
        pin_memory: Prepare batches for a quick copy to a GPU.
    """

    def __init__(
        self,
        split: FreiHandSplit,
        indices: Sequence[int],
        config: TrainConfig,
        *,
        rank: int = 0,
        world_size: int = 1,
        pin_memory: bool = False,
    ) -> None:
        data = config.data
        dataset = HandDataset(
            split,
            crop_px=data.crop_px,
            input_px=data.input_px,
            augment=config.augment,
            seed=config.seed,
            drawn_labels=config.recycle is not None and config.recycle.target == "rendered",
        )
        self._shuffled = ShuffledBatches(
            indices, batch_size=data.batch_size, seed=config.seed, rank=rank, world_size=world_size
        )
        self._epochs_per_round = config.epochs_per_round
        self._plan = BatchPlan()
        self._loader = load_batches(dataset, self._plan, workers=data.workers, pin_memory=pin_memory)

    @property
    def photos_per_step(self) -> int:
        """Photographs that all processes together learn from in one step."""
        return self._shuffled.batch_size * self._shuffled.world_size

    @property
    def steps_per_round(self) -> int:
        """Optimiser steps between two evaluations."""
        return self._shuffled.steps_per_epoch * self._epochs_per_round

    def batches(
        self, round_index: int, *, start_step: int, twins: Path | None
    ) -> Iterator[tuple[LoadedBatch, float]]:
        """Yield what is left of a round, and with each batch the seconds spent waiting for it.

        Args:
            round_index: Counts from 0.
            start_step: Batches of the round that were learnt from before.
            twins: Committed round of renders, if this round trains with twins.
        """
        first = round_index * self._epochs_per_round
        batches = [
            batch
            for epoch in range(first, first + self._epochs_per_round)
            for batch in self._shuffled.batches(epoch=epoch, twins=twins)
        ]
        self._plan.batches = batches[start_step:]
        asked_s = time.perf_counter()
        for loaded in one_line_errors(self._loader):
            yield loaded, time.perf_counter() - asked_s
            asked_s = time.perf_counter()
