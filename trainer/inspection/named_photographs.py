"""The photographs that twins are named after, of one data set or of several sources."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.errors import ShardError
from shared.freihand import FreiHandSplit
from shared.twins.names import photograph_of


@dataclass(frozen=True, slots=True, eq=False)
class NamedPhotographs:
    """Photographs by the names of their samples.

    Attributes:
        splits: What a run learnt from, at least one.
    """

    splits: Sequence[FreiHandSplit]

    @property
    def have_labels(self) -> bool:
        """Whether joints and vertices of all of them are there."""
        return all(split.has_labels for split in self.splits)

    def has_label(self, sample_id: str) -> bool:
        """Whether joints and vertices of one of them are there."""
        return self.find(sample_id)[0].has_labels

    def find(self, sample_id: str) -> tuple[FreiHandSplit, int]:
        """Return where the photograph is that a sample is named after, and its number there.

        Raises:
            ShardError: There is none.
        """
        for split in self.splits:
            index = split.index_of(photograph_of(sample_id))
            if index is not None:
                return split, index
        roots = ", ".join(str(split.root) for split in self.splits)
        count = sum(map(len, self.splits))
        raise ShardError(
            f"{sample_id}: expected a photograph of that name among the {count} of {roots}, found none.",
            remedy="Give the dataset that the shard was rendered for.",
        )
