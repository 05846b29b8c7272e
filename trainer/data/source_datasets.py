"""The samples of several sources behind one index, as a data-loading process takes them."""

from collections.abc import Sequence
from typing import Self

from torch.utils.data import Dataset

from trainer.config.run import TrainConfig
from trainer.data.dataset import HandDataset, LoadedSample
from trainer.data.sampling import SampleKey
from trainer.data.sources import Source


class SourceDatasets(Dataset[LoadedSample]):
    """Samples by `SampleKey`, each cropped and augmented as its source wants.

    Args:
        datasets: One of each source, in their order.
    """

    def __init__(self, datasets: Sequence[HandDataset]) -> None:
        self.datasets = tuple(datasets)

    def __getitem__(self, key: SampleKey) -> LoadedSample:
        return self.datasets[key.source][key]

    @classmethod
    def of(cls, sources: Sequence[Source], config: TrainConfig) -> Self:
        """Prepare the sources of a run.

        Raises:
            ConfigError: A crop is larger than the photographs.
        """
        drawn_labels = config.recycle is not None and config.recycle.target == "rendered"
        num_verts = next(source.split.verts_m.shape[1] for source in sources if source.has_meshes)
        return cls(
            [
                HandDataset(
                    source.split,
                    crop_px=source.crop_px,
                    input_px=config.data.input_px,
                    box_margin=config.model.box_margin,
                    augment=source.augment,
                    seed=config.seed,
                    drawn_labels=drawn_labels,
                    num_verts=num_verts,
                    cache_mb=config.data.cache_mb,
                )
                for source in sources
            ]
        )
