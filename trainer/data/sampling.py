"""Which photographs are seen, and when: the order of every epoch, and its batches.

All of it follows from names and seeds, so a run that was interrupted needs no sampler state. The processes of
a distributed run together, and a process that accumulates batches, see in every step exactly the photographs
that one process with a larger batch sees.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.errors import ConfigError
from shared.seeds import rng_of
from trainer.data.epochs import EpochPart


@dataclass(frozen=True, slots=True)
class SampleKey:
    """One sample of one epoch, complete enough for a data-loading process that knows nothing else.

    Attributes:
        index: Number of the photograph in its source.
        epoch: Of the source, whose epochs are passes over its photographs: how often the photograph was shown
            before. Enters the seed of the augmentation. None takes the plain centre crop.
        twins: Committed round to take the twin from, if any.
        source: Number of the source.
    """

    index: int
    epoch: int | None = None
    twins: Path | None = None
    source: int = 0


@dataclass(frozen=True, slots=True)
class ShuffledBatches:
    """How the training photographs become batches.

    Attributes:
        parts: What each source gives to an epoch.
        batch_size: Photographs per batch.
        seed: Of the run.
        rank: This process.
        world_size: Processes that train together.
        accumulate: Batches of every process in one step.
    """

    parts: Sequence[EpochPart]
    batch_size: int
    seed: int
    rank: int = 0
    world_size: int = 1
    accumulate: int = 1

    def __post_init__(self) -> None:
        if self.steps_per_epoch == 0:
            most = self.samples_per_epoch // (self.world_size * self.accumulate)
            raise ConfigError(
                (
                    f"data.batch_size: expected at most {most} for {self.samples_per_epoch} samples of an "
                    f"epoch, {self.world_size} processes and {self.accumulate} batches of each per step, "
                    f"found {self.batch_size}."
                ),
                remedy="Lower it, or optimiser.accumulate.",
            )

    @property
    def samples_per_epoch(self) -> int:
        """Of all sources."""
        return sum(part.num_samples for part in self.parts)

    @property
    def photos_per_step(self) -> int:
        """Photographs that all processes together learn from in one step."""
        return self.batch_size * self.world_size * self.accumulate

    @property
    def steps_per_epoch(self) -> int:
        """Whole steps; the remainder of a shuffled epoch is left out."""
        return self.samples_per_epoch // self.photos_per_step

    def batches(self, *, epoch: int, twins: Path | None) -> list[list[SampleKey]]:
        """Return the batches of this process: its part of every step's photographs, in their order."""
        keys = [
            SampleKey(index, showing, twins if part.twins else None, source)
            for source, part in enumerate(self.parts)
            for index, showing in part.samples(epoch, seed=self.seed)
        ]
        order = rng_of(self.seed, "order", epoch).permutation(len(keys))
        own_size = self.batch_size * self.accumulate
        starts = [
            step * self.photos_per_step + self.rank * own_size + part * self.batch_size
            for step in range(self.steps_per_epoch)
            for part in range(self.accumulate)
        ]
        return [[keys[row] for row in order[start : start + self.batch_size]] for start in starts]
