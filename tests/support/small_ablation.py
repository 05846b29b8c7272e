"""An ablation that takes seconds: the runs of small_run.py, in all variants, scored on two small sets."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shared.seams.renderer import Renderer
from tests.support.fakes import PointRenderer
from tests.support.small_dataset import small_split
from tests.support.small_run import small_config
from trainer.config.run import TrainConfig
from trainer.paper.plan import VARIANT_LABELS, AblationConfig

TINY = {"name": "regressor", "backbone": "test_resnet", "pretrained": False}


def small_ablation(folder: Path, *, train: dict[str, Any] | None = None, **changes: Any) -> AblationConfig:
    """Return one model in four variants with one seed.

    Args:
        folder: Gets the data and the runs.
        train: Changes of the training configuration, as `small_config` takes them.
        changes: Replace keys of the ablation.
    """
    for name, num_images in (("plain", 3), ("unseen", 2)):
        if not (folder / name).exists():
            small_split(folder / name, num_images=num_images)
    common = small_config(folder, **({"rounds": 2} | (train or {})))
    values: dict[str, Any] = {
        "train": common.model_dump(exclude={"model", "seed"}),
        "models": {"tiny": {"model": TINY}},
        "variants": tuple(VARIANT_LABELS),
        "seeds": (0,),
        "evaluation": {name: {"root": folder / name} for name in ("plain", "unseen")},
    }
    return AblationConfig.model_validate(values | changes)


@contextmanager
def points_for(config: TrainConfig) -> Iterator[Renderer | None]:
    """Hand out a renderer where one is needed, as the command line does."""
    yield None if config.recycle is None else PointRenderer()
