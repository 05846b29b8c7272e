"""One training run as a TOML file.

Relative paths are relative to the working directory, as in a shell; the copy that a run stores has absolute
ones.

"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from pydantic import Field, field_validator, model_validator

from shared.ranges import Seed
from shared.records import Section
from shared.seams.renderer import RenderSettings
from shared.storage.location import is_url
from trainer.config.data import DataConfig
from trainer.config.places import Place
from trainer.config.recycling import RecycleConfig
from trainer.config.sections import (
    AugmentConfig,
    CheckpointConfig,
    ComputeConfig,
    LogConfig,
    LossConfig,
    OptimiserConfig,
)
from trainer.config.toml import read_toml
from trainer.networks.config import ModelConfig
from trainer.networks.regressor import RegressorModel

_MAX_NAME_BYTES: Final = 240
"""Of a folder, with room for the number of a run that is moved aside."""


class TrainConfig(Section):
    """A training run. Defaults are the paper's (Sec. 4.2) unless the field says otherwise."""

    run_dir: Path
    """Folder for everything that the run writes."""
    mirror: Place | None = None
    """URL such as ``s3://bucket/run``, or folder, that gets a copy of checkpoints, predictions and twins
    after every round. A run with an empty run_dir resumes from there."""
    rounds: int = Field(default=200, ge=1, le=100_000)
    """Rounds of training, evaluation, prediction and rendering; at one epoch in each, the paper's epochs."""
    epochs_per_round: int = Field(default=1, ge=1, le=100_000)
    """Epochs between two evaluations, and so between two renders."""
    seed: Seed = 0
    """Decides every random choice, but not the held-out poses, so that seeds can be compared."""
    hand_model: Path | None = None
    """MANO_RIGHT.pkl or an .npz with its fields; the embedded open hand if left out."""
    data: DataConfig
    augment: AugmentConfig = AugmentConfig()
    model: ModelConfig = Field(default_factory=RegressorModel)
    loss: LossConfig = LossConfig()
    optimiser: OptimiserConfig = OptimiserConfig()
    recycle: RecycleConfig | None = None
    render: RenderSettings = RenderSettings()
    compute: ComputeConfig = ComputeConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    log: LogConfig = LogConfig()

    @classmethod
    def read(cls, path: Path | str, *, changes: Sequence[str] = ()) -> Self:
        """Read a TOML file.

        Args:
            path: The file.
            changes: Other values for some keys, as in ``optimiser.learning_rate=3e-4``.

        Raises:
            ConfigError: It cannot be used; the message names every key that is wrong.
        """
        return read_toml(Path(path), cls, changes=changes)

    @field_validator("run_dir")
    @classmethod
    def _is_a_folder_of_its_own(cls, run_dir: Path) -> Path:
        names = os.fsencode(run_dir).split(b"/")
        if not run_dir.name or run_dir.name == "..":
            raise ValueError("the name of a folder")
        if any(len(name) > _MAX_NAME_BYTES for name in names):
            raise ValueError(f"names of at most {_MAX_NAME_BYTES} bytes")
        return run_dir

    @model_validator(mode="after")
    def _mirror_lies_elsewhere(self) -> Self:
        if self.mirror is not None and not is_url(self.mirror):
            mirror, run_dir = Path(self.mirror).resolve(), self.run_dir.resolve()
            if mirror.is_relative_to(run_dir) or run_dir.is_relative_to(mirror):
                raise ValueError("mirror lies in run_dir, or the other way round: choose a place of its own")
        return self

    @model_validator(mode="after")
    def _crops_fit_the_network(self) -> Self:
        multiple_px = self.model.input_multiple_px
        if self.data.input_px % multiple_px:
            raise ValueError(
                f"data.input_px: expected a multiple of {multiple_px} for {self.model.name}, "
                f"found {self.data.input_px}"
            )
        return self

    @model_validator(mode="after")
    def _upright_crops_are_boxes(self) -> Self:
        augments = [source.augment or self.augment for source in self.data.all_sources]
        if any(augment.upright_share for augment in augments) and self.model.box_margin is None:
            raise ValueError(
                "augment.upright_share crops hands by their boxes, but the network sees the middles of "
                "photographs: set model.box_margin, or leave augment.upright_share out"
            )
        return self

    @model_validator(mode="after")
    def _twins_teach(self) -> Self:
        if self.recycle is None:
            return self
        have_twins = [source.twins for source in self.data.all_sources]
        if not any(have_twins):
            raise ValueError(
                "no source has twins, so nothing would be recycled: set twins = true in one of "
                "[[data.sources]], or leave the table [recycle] out"
            )
        if self.recycle.alpha == 0 and not all(have_twins):
            raise ValueError(
                "recycle.alpha is 0, so sources without twins would teach nothing: set twins = true in all "
                "[[data.sources]], or recycle.alpha above 0"
            )
        return self

    @model_validator(mode="after")
    def _portraits_have_their_own_camera(self) -> Self:
        if self.recycle is None or self.render.realism == "paper":
            return self
        if self.recycle.target != "rendered" or self.recycle.refresh.policy == "drift":
            raise ValueError(
                f'render.realism = "{self.render.realism}" has a camera of its own, unlike '
                'that of the photographs: set recycle.target = "rendered", and leave a refresh by drift out'
            )
        return self

    @model_validator(mode="after")
    def _some_source_has_meshes(self) -> Self:
        less = [source for source in self.data.all_sources if source.labels != "mesh"]
        if len(less) == len(self.data.all_sources):
            raise ValueError(
                "no source has meshes, so nothing would tell the best round: add one that has, such as hands "
                "that make-dataset draws"
            )
        drawn = [source.called for source in less if source.twins]
        if drawn and self.recycle is not None and self.recycle.source == "ground_truth":
            raise ValueError(
                f'{drawn[0]} has no meshes that could be drawn: set recycle.source = "prediction", or '
                "twins = false for it"
            )
        return self

    @model_validator(mode="after")
    def _photographs_without_labels_teach(self) -> Self:
        without = [source for source in self.data.all_sources if not source.is_labelled]
        if not without:
            return self
        name, recycle = without[0].called, self.recycle
        if (
            recycle is None
            or not all(source.twins for source in without)
            or recycle.beta == recycle.gamma == 0
        ):
            raise ValueError(
                f"{name} has no labels, so only its twins can teach: give it twins = true, and the run a "
                "table [recycle] with beta or gamma above 0"
            )
        if recycle.target != "rendered":
            raise ValueError(f'{name} has no labels that twins could have: set recycle.target = "rendered"')
        return self

    @model_validator(mode="after")
    def _something_is_learned(self) -> Self:
        recycle = self.recycle
        if recycle is None:
            return self
        if recycle.alpha == recycle.beta == 0:
            raise ValueError(
                "recycle.alpha and recycle.beta are 0, so no label would be learned: set one of them above 0"
            )
        if recycle.alpha == 0 and recycle.source == "prediction":
            raise ValueError(
                "recycle.alpha is 0, so the first predictions would come from an untrained network: "
                'set recycle.alpha above 0, or recycle.source = "ground_truth"'
            )
        first = recycle.warmup_rounds + recycle.lag_rounds
        if recycle.source == "prediction" and first >= self.rounds:
            more = " and recycle.mode adds one" if recycle.lag_rounds else ""
            raise ValueError(
                f"recycle.warmup_rounds is {recycle.warmup_rounds} of {self.rounds} rounds{more}, so nothing "
                "would be recycled: lower it, or leave the table [recycle] out"
            )
        return self


def load_config(path: Path) -> TrainConfig:
    """Read a training configuration.

    Raises:
        ConfigError: The file cannot be used; the message names every key that is wrong.
    """
    return TrainConfig.read(path)
