"""Which photographs are seen, and when: the order of every epoch, and its batches.

All of it follows from names and seeds, so a run that was interrupted needs no sampler state, and the
processes of a distributed run together see exactly the batches that one process with a larger batch sees.
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
        batch_size: Photographs per step and process.
        seed: Of the run.
        rank: This process.
        world_size: Processes that train together.
    """

    parts: Sequence[EpochPart]
    batch_size: int
    seed: int
    rank: int = 0
    world_size: int = 1

    def __post_init__(self) -> None:
        if self.steps_per_epoch == 0:
            raise ConfigError(
                (
                    f"data.batch_size: expected at most {self.samples_per_epoch // self.world_size} for "
                    f"{self.samples_per_epoch} samples of an epoch and {self.world_size} processes, "
                    f"found {self.batch_size}."
                ),
                remedy="Lower it.",
            )

    @property
    def samples_per_epoch(self) -> int:
        """Of all sources."""
        return sum(part.num_samples for part in self.parts)

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches; the remainder of a shuffled epoch is left out."""
        return self.samples_per_epoch // (self.batch_size * self.world_size)

    def batches(self, *, epoch: int, twins: Path | None) -> list[list[SampleKey]]:
        """Return the batches of this process: its part of each joint batch of all processes."""
        keys = [
            SampleKey(index, showing, twins if part.twins else None, source)
            for source, part in enumerate(self.parts)
            for index, showing in part.samples(epoch, seed=self.seed)
        ]
        order = rng_of(self.seed, "order", epoch).permutation(len(keys))
        joint_size = self.batch_size * self.world_size
        starts = [step * joint_size + self.rank * self.batch_size for step in range(self.steps_per_epoch)]
        return [[keys[row] for row in order[start : start + self.batch_size]] for start in starts]
