"""A training run that takes seconds: a tiny network on a dozen pictures of noise."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.support.small_dataset import small_split
from tests.support.small_hands import SEQUENCE_BACKBONE, TINY_BACKBONE
from trainer.config.run import TrainConfig
from trainer.data.sources import Source, open_sources

REGRESSOR: dict[str, Any] = {"name": "regressor", "backbone": TINY_BACKBONE, "pretrained": False}
JOINT_READER: dict[str, Any] = {
    "name": "joint_reader",
    "backbone": SEQUENCE_BACKBONE,
    "pretrained": False,
    "channels": 8,
    "drill_hands": 8,
}
"""Tables [model]."""

NUM_IMAGES = 14
"""Two are held out, twelve make three batches of four."""
MADE, REAL = 14, 6
"""Photographs of two sources: two and one are held out."""


def small_config(folder: Path, **changes: Any) -> TrainConfig:
    """Return a run with recycling; ``section__field`` changes a value in a table."""
    data_root = folder / "data"
    if not data_root.exists():
        small_split(data_root, "training", num_images=NUM_IMAGES)
    values: dict[str, Any] = {
        "run_dir": folder / "run",
        "rounds": 3,
        "data": {
            "root": data_root,
            "crop_px": 56,
            "input_px": 64,
            "batch_size": 4,
            "workers": 0,
            "held_out_share": 2 / NUM_IMAGES,
        },
        "model": REGRESSOR,
        "optimiser": {"learning_rate": 1e-3, "plateau_patience": 0},
        "recycle": {"backgrounds": "unused"},
        "render": {"shard_size": 5},
        "compute": {"accelerator": "cpu"},
        "checkpoint": {"every_steps": 2},
        "log": {"pictures": 0},
    }
    for key, value in changes.items():
        section, _, field = key.partition("__")
        if field:
            values[section] = {**values[section], field: value}
        else:
            values[section] = value
    return TrainConfig.model_validate(values)


def one_source(config: TrainConfig, training: Sequence[int] = range(NUM_IMAGES)) -> tuple[Source]:
    """Return the source of a run, with these photographs to learn from and none held out."""
    (source,) = open_sources(config)
    return (replace(source, training=training, held_out=()),)


def two_sources(folder: Path, *, batch_size: int = 4, **changes: Any) -> TrainConfig:
    """A run with recycling on three batches an epoch: eight samples of made hands, four of real ones."""
    for name, num_images in (("made", MADE), ("real", REAL)):
        if not (folder / name).exists():
            small_split(folder / name, "training", num_images=num_images)
    sources = [
        {"root": folder / "made", "share": 0.65},
        {"root": folder / "real", "share": 0.35, "twins": False, "crop_px": 48, "augment": {"scale_sd": 0}},
    ]
    data = {
        "sources": sources,
        "epoch_samples": 12,
        "crop_px": 56,
        "input_px": 64,
        "batch_size": batch_size,
        "workers": 0,
        "held_out_share": 1 / 7,
    }
    return small_config(folder, rounds=2, data=data, **changes)
