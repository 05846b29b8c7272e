"""The data sets that a run learns from, opened and checked: what each gives to training and to evaluation."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.errors import ConfigError, DatasetError
from shared.freihand import FreiHandSplit, SplitName
from shared.freihand.label_check import check_labels
from shared.hand_model import HandModel
from trainer.config.data import DataConfig, SourceConfig
from trainer.config.run import TrainConfig
from trainer.config.sections import AugmentConfig
from trainer.data.epochs import apportioned
from trainer.data.held_out import hold_out


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Source:
    """A data set that a run learns from.

    Attributes:
        name: What its scores are called.
        split: Its photographs and labels. Where there are several sources, the name of one goes before those
            of its samples.
        share: Of the samples of every epoch.
        training: Photographs to learn from.
        held_out: Photographs to select models by.
        crop_px: Side of the centre crop that the network sees.
        augment: Random changes of its samples.
        twins: Whether its photographs get twins.
    """

    name: str
    split: FreiHandSplit
    share: float
    training: Sequence[int]
    held_out: Sequence[int]
    crop_px: int
    augment: AugmentConfig
    twins: bool

    @property
    def is_labelled(self) -> bool:
        """Whether anything is known about its hands."""
        return self.split.labels != "none"

    @property
    def has_meshes(self) -> bool:
        """Whether everything is known about them, so that models are selected by its scores."""
        return self.split.labels == "mesh"

    @property
    def drawn(self) -> Sequence[int]:
        """Photographs whose predictions are rendered; without labels also those held out, to score them."""
        if not self.twins:
            return ()
        return self.training if self.is_labelled else (*self.training, *self.held_out)


def open_split(source: SourceConfig, data: DataConfig, *, split: SplitName = "training") -> FreiHandSplit:
    """Open the photographs of a source; among several, its name goes before those of their samples.

    Raises:
        DatasetError: The folder is missing, or no such data set.
    """
    prefix = source.called if len(data.all_sources) > 1 else ""
    versions = source.num_versions if split == "training" else None
    return FreiHandSplit(source.root, split, num_versions=versions, source=prefix, labels=source.labels)


def open_sources(config: TrainConfig) -> tuple[Source, ...]:
    """Open the sources of a run, in the order of its configuration.

    Raises:
        DatasetError: A folder is missing or no such data set, or all of its photographs are held out.
    """
    data = config.data
    wanted = data.all_sources
    limits: Sequence[int | None] = [None] * len(wanted)
    if data.max_samples is not None:
        limits = apportioned(data.max_samples, [each.share for each in wanted])
    sources = []
    for each, limit in zip(wanted, limits, strict=True):
        split = open_split(each, data)
        parts = hold_out(split, held_out_share=data.held_out_share, max_samples=limit)
        if not parts.training:
            raise DatasetError(
                f"{each.root}: expected photographs to learn from besides those held out, found none of "
                f"{len(split)}.",
                remedy="Lower data.held_out_share, or raise data.max_samples.",
            )
        source = Source(
            name=each.called,
            split=split,
            share=each.share,
            training=parts.training,
            held_out=parts.held_out,
            crop_px=each.crop_px or data.crop_px,
            augment=each.augment or config.augment,
            twins=each.twins,
        )
        sources.append(source)
    return tuple(sources)


def check_sources(sources: Sequence[Source], hand_model: HandModel) -> None:
    """Make sure that all labels are of one hand model, where their photographs can show them.

    Photographs without labels are not looked at.

    Raises:
        ConfigError: The labels of a source are of another hand model.
        DatasetError: A source has no labels, or some that cannot be true.
    """
    labelled = sorted((each for each in sources if each.is_labelled), key=lambda each: not each.has_meshes)
    for number, source in enumerate(labelled):
        try:
            check_labels(source.split, hand_model)
        except ConfigError as error:
            if number == 0:
                raise
            raise ConfigError(
                f"{error.message} The labels of {labelled[0].split.root} are of that hand model.",
                remedy="All sources need labels of one hand model: leave the others out.",
            ) from error
