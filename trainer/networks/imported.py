"""Networks of other packages: found by their import path, and checked before anything depends on them."""

from typing import Any

import torch
from pydantic import Field

from shared.errors import ConfigError
from shared.hand_model import HandModel
from shared.import_path import ImportPath, load_by_path
from trainer.networks.base import HandNetwork, NetworkSection, Surroundings
from trainer.types import HandPrediction


class ImportedModel(NetworkSection):
    """A network of your own, in a package that is installed beside this one (docs/own_parts.md)."""

    name: ImportPath
    """``package.module:Name`` of a `HandNetwork`, or of a function that returns one from a hand model."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Its further arguments by name, as a table ``[model.options]``. One that is called ``pretrained`` is
    false where weights are loaded afterwards."""

    def build(self, given: Surroundings) -> HandNetwork:
        """Build the network on the CPU.

        Raises:
            ConfigError: It cannot be imported or built, or is no `HandNetwork`.
        """
        make = load_by_path(self.name, key="model.name")
        options = dict(self.options)
        if given.from_checkpoint and "pretrained" in options:
            options["pretrained"] = False
        try:
            network = make(given.hand_model, **options)
        except TypeError as error:
            raise ConfigError(
                f"model.name: expected to call {self.name} with the hand model and options "
                f"{', '.join(options) or '(none)'}, found: {error}.",
                remedy="Correct the table [model.options], or the arguments of the network.",
            ) from error
        if not isinstance(network, HandNetwork):
            raise ConfigError(
                f"model.name: expected {self.name} to make a HandNetwork, found {type(network).__name__}.",
                remedy="Derive it from trainer.networks.base.HandNetwork.",
            )
        return network


def require_hands(network: HandNetwork, hand_model: HandModel, *, input_px: int, name: str) -> None:
    """Make sure that a network turns crops into hands of a hand model.

    Raises:
        ConfigError: Its outputs have other names, shapes or devices.
    """
    was_training = network.training
    network.eval()
    with torch.no_grad():
        found = network(torch.zeros(2, 3, input_px, input_px))
    network.train(was_training)
    if not isinstance(found, HandPrediction):
        raise ConfigError(
            f"{name}: expected it to return a HandPrediction, found {type(found).__name__}.",
            remedy="Return trainer.types.HandPrediction.",
        )
    wanted = {
        "verts_m": (2, hand_model.num_verts, 3),
        "joints_m": (2, len(hand_model.joint_regressor), 3),
        "camera": (2, 3),
    }
    for output, shape in wanted.items():
        value = getattr(found, output)
        if tuple(value.shape) != shape:
            raise ConfigError(
                f"{name}: expected {output} of size {shape} for two crops, found {tuple(value.shape)}.",
                remedy="docs/own_parts.md says what a network returns.",
            )
