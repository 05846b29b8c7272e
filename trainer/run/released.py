"""Weights that others have released, used as a run of ours would be: scored, predicted with, drawn.

A released file is names and tensors alone. What a run's folder would add is given beside it: which network it
is, and METRO's ``mano_downsampling.npz``, which says what its tokens stand for.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from shared.errors import ConfigError, HandModelError
from trainer.config.run import TrainConfig
from trainer.networks.named import NETWORKS, RELEASABLE

MESH_NAME: Final = "mano_downsampling.npz"


@dataclass(frozen=True, slots=True)
class Released:
    """What a file of weights does not say.

    Attributes:
        network: Name of the network in `trainer.networks.named`.
        coarse_mesh: METRO's file; looked for beside the weights if left out.
    """

    network: str
    coarse_mesh: Path | None = None

    def config(self, weights: Path, *, hand_model: Path | None) -> TrainConfig:
        """Return the configuration of a run that starts from such weights; its other keys are the defaults.

        Args:
            weights: The released file.
            hand_model: ``MANO_RIGHT.pkl``.

        Raises:
            ConfigError: There is no such network, or it cannot be given weights.
            HandModelError: There is no coarse mesh.
        """
        if self.network not in RELEASABLE:
            raise ConfigError(
                f"--network: expected one of {', '.join(RELEASABLE)}, found {self.network}.",
                remedy="Weights of other networks cannot be used.",
            )
        mesh = self.coarse_mesh or weights.parent / MESH_NAME
        if not mesh.exists():
            raise HandModelError(
                f"{weights}: expected METRO's {MESH_NAME} beside it, found none: it says what tokens are.",
                remedy="Put it there, or give --coarse-mesh.",
            )
        model = {**NETWORKS[self.network], "pretrained": False, "weights": weights, "coarse_mesh": mesh}
        return TrainConfig.model_validate(
            {
                "run_dir": weights.with_suffix(".run"),
                "hand_model": hand_model,
                "data": {"root": "data/freihand"},
                "model": model,
            }
        )
