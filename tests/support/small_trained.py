"""Untrained networks that look trained: in memory, and as a run on the disk."""

from pathlib import Path
from typing import Any

import torch

from tests.support.small_hands import TINY_BACKBONE, open_hand
from trainer.config.run import TrainConfig
from trainer.config.toml import to_toml
from trainer.networks.base import HandNetwork
from trainer.networks.build import build_network
from trainer.networks.regressor import HandRegressor
from trainer.run.checkpoint import save_checkpoint
from trainer.run.trained import TrainedHand

INPUT_PX = 64
TINY_REGRESSOR = {"name": "regressor", "backbone": TINY_BACKBONE, "pretrained": False}
TINY_FASTMETRO = {
    "name": "fastmetro",
    "size": "S",
    "dims": (32, 16),
    "backbone": TINY_BACKBONE,
    "pretrained": False,
}


def config_of(run_dir: Path, model: dict[str, Any]) -> TrainConfig:
    data = {"root": run_dir / "nowhere", "input_px": INPUT_PX, "crop_px": 180}
    return TrainConfig.model_validate({"run_dir": run_dir, "data": data, "model": model})


def as_trained(network: HandNetwork, model: dict[str, Any] = TINY_REGRESSOR) -> TrainedHand:
    return TrainedHand(Path("run"), config_of(Path("run"), model), open_hand(), network.eval())


def tiny_trained() -> TrainedHand:
    torch.manual_seed(0)
    return as_trained(HandRegressor(open_hand(), backbone=TINY_BACKBONE, pretrained=False))


def write_run(run_dir: Path, model: dict[str, Any] = TINY_REGRESSOR) -> Path:
    """Write a run whose best checkpoint is an untrained network."""
    config = config_of(run_dir, model)
    torch.manual_seed(0)
    network = build_network(config.model, open_hand())
    save_checkpoint(
        run_dir / "checkpoints" / "round-0000", network, {}, texts={"config.toml": to_toml(config)}
    )
    (run_dir / "checkpoints" / "best").write_text("round-0000\n")
    return run_dir
