"""The batches that a training process learns from, and the time that it spends waiting for them."""

import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from trainer.config.run import TrainConfig
from trainer.data.dataset import LoadedBatch
from trainer.data.epochs import EpochPart, divide_epoch
from trainer.data.sampling import ShuffledBatches
from trainer.data.source_datasets import SourceDatasets
from trainer.data.sources import Source
from trainer.data.workers import BatchPlan, load_batches, one_line_errors


class RoundLoader:
    """One process's batches, round by round; data-loading processes live as long as this.

    Args:
        sources: What to learn from.
        config: Of the run.
        rank: This process.
        world_size: Processes that train together.
        pin_memory: Prepare batches for a quick copy to a GPU.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        config: TrainConfig,
        *,
        rank: int = 0,
        world_size: int = 1,
        pin_memory: bool = False,
    ) -> None:
        data = config.data
        dataset = SourceDatasets.of(sources, config)
        num_samples = data.epoch_samples or sum(len(source.training) for source in sources)
        counts = divide_epoch(num_samples, [each.share for each in sources], [each.name for each in sources])
        self._shuffled = ShuffledBatches(
            [
                EpochPart(source.name, source.training, count, source.twins)
                for source, count in zip(sources, counts, strict=True)
            ],
            batch_size=data.batch_size,
            seed=config.seed,
            rank=rank,
            world_size=world_size,
            accumulate=config.optimiser.accumulate,
        )
        self._epochs_per_round = config.epochs_per_round
        self._plan = BatchPlan()
        self._loader = load_batches(dataset, self._plan, workers=data.workers, pin_memory=pin_memory)

    @property
    def photos_per_step(self) -> int:
        """Photographs that all processes together learn from in one step."""
        return self._shuffled.photos_per_step

    @property
    def steps_per_round(self) -> int:
        """Optimiser steps between two evaluations."""
        return self._shuffled.steps_per_epoch * self._epochs_per_round

    def advice(self, *, meant: int | None) -> str | None:
        """Return what to say if a step has more or fewer photographs than were meant; None if it has not."""
        found, parts = self.photos_per_step, self._shuffled
        if meant is None or meant == found:
            return None
        text = (
            f"Every step learns from {found} photographs (processes: {parts.world_size}, batches of each: "
            f"{parts.accumulate} of {parts.batch_size}); the configuration is meant for {meant}."
        )
        accumulate, rest = divmod(meant, parts.batch_size * parts.world_size)
        if rest or accumulate == 0:
            return f"{text} Choose another data.batch_size, or change optimiser.photos_per_step."
        return f"{text} optimiser.accumulate = {accumulate} makes it so."

    def steps(
        self, round_index: int, *, start_step: int, twins: Path | None
    ) -> Iterator[tuple[tuple[LoadedBatch, ...], float]]:
        """Yield what is left of a round, step by step: its batches, and the seconds spent waiting for them.

        The arguments are those of `batches`.
        """
        waiting = self.batches(round_index, start_step=start_step, twins=twins)
        for loaded, wait_s in waiting:
            more = list(itertools.islice(waiting, self._shuffled.accumulate - 1))
            yield (loaded, *(batch for batch, _ in more)), wait_s + sum(seconds for _, seconds in more)

    def batches(
        self, round_index: int, *, start_step: int, twins: Path | None
    ) -> Iterator[tuple[LoadedBatch, float]]:
        """Yield what is left of a round, and with each batch the seconds spent waiting for it.

        Args:
            round_index: Counts from 0.
            start_step: Steps of the round that were learnt from before.
            twins: Committed round of renders, if this round trains with twins.
        """
        first = round_index * self._epochs_per_round
        batches = [
            batch
            for epoch in range(first, first + self._epochs_per_round)
            for batch in self._shuffled.batches(epoch=epoch, twins=twins)
        ]
        self._plan.batches = batches[start_step * self._shuffled.accumulate :]
        asked_s = time.perf_counter()
        for loaded in one_line_errors(self._loader):
            yield loaded, time.perf_counter() - asked_s
            asked_s = time.perf_counter()
