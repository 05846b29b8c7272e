"""The table [data] of a training configuration: one data set, or several with a share of every epoch each."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from shared.freihand import LabelKind
from shared.ranges import Count
from shared.records import Section
from shared.storage.cache import DEFAULT_CACHE_MB
from trainer.config.sections import AugmentConfig

_SUM_TOLERANCE = 1e-6
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")  # what follows a + is the number of a twin


def _checked_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("a name of at most 40 letters, digits, dots, or signs of _ -")
    return name


class SourceConfig(Section):
    """One of the data sets that a run learns from. All labels are of the same hand model."""

    root: Path
    """Folder that holds training/rgb and training_*.json."""
    labels: LabelKind = "mesh"
    """What is learnt of its hands: joints and vertices; ``joints`` in space alone; ``keypoints``, which are
    joints in the photograph; or ``none``, photographs whose predictions are rendered, so that twins and
    self-correlation teach (``recycle.target = "rendered"``). Another source needs meshes."""
    share: float = Field(gt=0, le=1)
    """Of the samples of every epoch; the shares of all sources sum to 1."""
    name: Annotated[str, AfterValidator(_checked_name)] | None = None
    """What its samples and scores are called; the name of the folder if left out."""
    num_versions: Count | None = None
    """How often its poses repeat; counted if left out."""
    crop_px: int | None = Field(default=None, ge=8, le=8192)
    """Side of the centre crop of its photographs; that of [data] if left out. A network that sees boxes sees
    this crop where there are no labels."""
    augment: AugmentConfig | None = None
    """Replaces the table [augment] for its samples, as a whole."""
    twins: bool = True
    """Its photographs are predicted and rendered for the second pass, where the run recycles."""

    @model_validator(mode="after")
    def _poses_need_labels(self) -> Self:
        if not self.is_labelled and self.num_versions is not None:
            raise ValueError("no num_versions where there are no labels")
        return self

    @property
    def is_labelled(self) -> bool:
        """Whether anything is known about the hands in its photographs."""
        return self.labels != "none"

    @property
    def called(self) -> str:
        """Its name, given or not."""
        return self.name or self.root.name


class DataConfig(Section):
    """Photographs in FreiHAND's layout, and how they reach the network."""

    root: Path | None = None
    """Folder that holds training/rgb and training_*.json: the short form of a single source."""
    sources: tuple[SourceConfig, ...] = ()
    """Several data sets instead of a root, as tables ``[[data.sources]]``."""
    epoch_samples: Count | None = None
    """Samples of an epoch; as many as all sources together have training photographs if left out. A small
    source with a large share is shown several times in an epoch, augmented differently each time. A large one
    with a small share goes on in the next epoch where it stopped."""
    num_versions: Count | None = None
    """How often the poses repeat (4 in FreiHAND); counted if left out."""
    crop_px: int = Field(default=180, ge=8, le=8192)
    """Side of the centre crop of the photograph that the network sees."""
    input_px: int = Field(default=224, ge=8, le=2048)
    """Side to which that crop is resized."""
    batch_size: int = Field(default=16, ge=1, le=65_536)
    """Photographs per batch and process; their twins come on top."""
    workers: int = Field(default=4, ge=0, le=1024)
    """Data-loading processes per training process; 0 loads in between the steps."""
    cache_mb: int = Field(default=DEFAULT_CACHE_MB, ge=1, le=1_000_000_000)
    """Disk that copies of twins take up on this machine at most, in the user's cache folder, if
    ``recycle.store`` says that twins are at a URL: of all runs and processes together. Those that were used
    longest ago go first."""
    held_out_share: float = Field(default=0.02, gt=0, lt=1)
    """Share of the training poses kept back to select models by, of each source. The paper does not say."""
    max_samples: Count | None = None
    """Train on this many photographs only, to try things out; sources have their shares of them."""

    @model_validator(mode="after")
    def _has_root_or_sources(self) -> Self:
        if (self.root is None) == (not self.sources):
            both = "both" if self.sources else "neither"
            raise ValueError(f"a root, or tables [[data.sources]], found {both}")
        if self.sources and self.num_versions is not None:
            raise ValueError("num_versions in the tables [[data.sources]], found it in [data]")
        return self

    @model_validator(mode="after")
    def _sources_go_together(self) -> Self:
        if not self.sources:
            return self
        total = math.fsum(source.share for source in self.sources)
        if abs(total - 1) > _SUM_TOLERANCE:
            raise ValueError(f"shares of the sources that sum to 1, found {total:g}")
        if root := _repeated([str(source.root.resolve()) for source in self.sources]):
            raise ValueError(f"sources in folders of their own, found {root} twice")
        for source in self.sources:
            if not _NAME.fullmatch(source.called):
                raise ValueError(f"a name for the source in {source.root}, whose folder's will not do")
        if name := _repeated([source.called for source in self.sources]):
            raise ValueError(f"sources that differ in name, found {name} twice: give them names")
        return self

    @property
    def all_sources(self) -> tuple[SourceConfig, ...]:
        """The sources; the short form is a single one."""
        if self.root is None:
            return self.sources
        # Not validated: a single folder may be called anything, because its name appears nowhere.
        return (SourceConfig(root=self.root, share=1, num_versions=self.num_versions),)

    @property
    def main_crop_px(self) -> int:
        """Side of the crop of the first source, to whose photographs those of others are likened."""
        return self.all_sources[0].crop_px or self.crop_px

    def crop_px_of(self, root: Path) -> int:
        """Return the side of the crop of a folder's photographs: as a source there, else as the first one."""
        resolved = root.resolve()
        found = (source for source in self.all_sources if source.root.resolve() == resolved)
        source = next(found, None)
        return self.main_crop_px if source is None else source.crop_px or self.crop_px


def _repeated(values: Sequence[str]) -> str | None:
    return next((value for value, count in Counter(values).items() if count > 1), None)
