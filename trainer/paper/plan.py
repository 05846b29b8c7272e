"""What an ablation trains: models, variants and seeds as a TOML file, and the runs that follow from it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from shared.freihand import SplitName
from shared.ranges import Seed
from shared.records import Section
from trainer.config.recycling import AllRefresh, RecycleConfig
from trainer.config.run import TrainConfig
from trainer.config.sections import LossConfig, OptimiserConfig
from trainer.config.toml import read_toml
from trainer.networks.config import ModelConfig

type VariantName = Literal["original", "recycle", "correlation", "ground_truth_renders"]
type Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][\w.+-]*$")]
"""Names a folder and a row or column of the table."""

VARIANT_LABELS: dict[VariantName, str] = {
    "original": "original",
    "recycle": "+ recycle",
    "correlation": "+ self-correlation",
    "ground_truth_renders": "renders of the ground truth only",
}
"""Table 2's names, in its order, and Table 3's."""


class AblatedModel(Section):
    """A network, and what its recipe changes in [train]: the same for all of its variants."""

    model: ModelConfig
    """As the table [model] of a training configuration."""
    loss: LossConfig | None = None
    """Replaces the table [train.loss]."""
    optimiser: OptimiserConfig | None = None
    """Replaces the table [train.optimiser]."""
    batch_size: int | None = Field(default=None, ge=1, le=65_536)
    """Replaces train.data.batch_size."""


class EvaluationSet(Section):
    """Labelled photographs that no run learns from: a group of columns of the table."""

    root: Path
    """Folder of a dataset in FreiHAND's layout."""
    split: SplitName = "evaluation"
    """Which of its splits."""
    published: bool = False
    """This is FreiHAND's own evaluation split, so the paper's numbers belong beside ours."""


class AblationConfig(Section):
    """A comparison of training variants.

    Within a model, variants differ in [recycle] alone: the same photographs in the same order, the same
    batches, and the same number of optimiser steps. A twin doubles the work of a step, not their number.
    """

    train: TrainConfig
    """What all runs have in common, without model and seed. Its run_dir is the folder of the ablation."""
    models: dict[Name, AblatedModel] = Field(min_length=1)
    """The networks by the names that the table shows."""
    variants: tuple[VariantName, ...] = ("original", "recycle", "correlation")
    """Photographs alone; twins as well, with gamma = 0; with self-correlation, gamma as in [train.recycle];
    renders of the ground truth and no photographs (Table 3)."""
    seeds: tuple[Seed, ...] = (0, 1, 2)
    """One run each. They come one after the other, so that a table of one seed is there early."""
    evaluation: dict[Name, EvaluationSet] = Field(min_length=1)
    """What the best checkpoint of every run is scored on."""

    @model_validator(mode="after")
    def _says_everything_once(self) -> Self:
        for key in sorted({"model", "seed"} & self.train.model_fields_set):
            raise ValueError(f"train.{key}: expected no such key, because {key}s stands for it. Remove it.")
        for key, values in (("variants", self.variants), ("seeds", self.seeds)):
            if not values or len(set(values)) < len(values):
                raise ValueError(f"{key}: expected at least one, and each once, found {list(values)}.")
        return self

    @model_validator(mode="after")
    def _variants_differ(self) -> Self:
        recycle = self.train.recycle
        if recycle is None:
            if self.variants != ("original",):
                raise ValueError("train.recycle: expected a table, found none. Add it, or drop its variants.")
            return self
        needs_labels = [name for name in ("original", "ground_truth_renders") if name in self.variants]
        if needs_labels and not all(source.is_labelled for source in self.train.data.all_sources):
            raise ValueError(
                f"variants: expected none that learns from labels alone, found {', '.join(needs_labels)} "
                "beside sources without labels. Leave it out, or these sources."
            )
        if "correlation" in self.variants and recycle.gamma == 0:
            raise ValueError(
                "train.recycle.gamma: expected more than 0 for the variant correlation, found 0. Set it."
            )
        return self


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One training run of an ablation.

    Attributes:
        model: Name of the network in the configuration.
        variant: What it learns from.
        seed: Decides every random choice of the run.
        config: All of it.
    """

    model: str
    variant: VariantName
    seed: int
    config: TrainConfig

    def __str__(self) -> str:
        return f"{self.model}, {VARIANT_LABELS[self.variant]}, seed {self.seed}"


def load_ablation(path: Path, *, changes: Sequence[str] = ()) -> AblationConfig:
    """Read the configuration of an ablation.

    Args:
        path: The file.
        changes: Other values for some keys, as in ``train.optimiser.learning_rate=3e-4``.

    Raises:
        ConfigError: The file cannot be used; the message names every key that is wrong.
    """
    return read_toml(path, AblationConfig, changes=changes)


def planned_runs(config: AblationConfig) -> tuple[PlannedRun, ...]:
    """Return all runs in the order in which they are trained."""
    return tuple(
        PlannedRun(model, variant, seed, _run_config(config, model, variant, seed))
        for seed in config.seeds
        for model in config.models
        for variant in config.variants
    )


def _run_config(config: AblationConfig, model: str, variant: VariantName, seed: int) -> TrainConfig:
    train, entry = config.train, config.models[model]
    changes = {
        "run_dir": train.run_dir / model / variant / f"seed-{seed}",
        "mirror": train.mirror and f"{train.mirror}/{model}/{variant}/seed-{seed}",
        "seed": seed,
        "data": train.data.model_copy(update={"batch_size": entry.batch_size or train.data.batch_size}),
        "model": entry.model,
        "loss": entry.loss or train.loss,
        "optimiser": entry.optimiser or train.optimiser,
        "recycle": _recycling(variant, train.recycle),
    }
    return TrainConfig(**(dict(train) | changes))


def _recycling(variant: VariantName, recycle: RecycleConfig | None) -> RecycleConfig | None:
    if recycle is None:
        return None
    match variant:
        case "original":
            return None
        case "recycle":
            return recycle.model_copy(update={"gamma": 0.0})
        case "correlation":
            return recycle
        case "ground_truth_renders":
            refresh = AllRefresh() if recycle.refresh.policy == "drift" else recycle.refresh  # labels stay
            drawn = {"source": "ground_truth", "mode": "alternate", "refresh": refresh}
            return recycle.model_copy(update={"alpha": 0.0, "gamma": 0.0, **drawn})
