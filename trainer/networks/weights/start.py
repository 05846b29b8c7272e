"""Weights to start from, wherever they are: whatever has an equal name and an equal shape is taken.

A run gives those of its best checkpoint. A state dict of somebody else may carry an ImageNet classifier, have
names with ``module.`` before them, or lie within a training checkpoint.
"""

import logging
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import torch
from pydantic import AfterValidator
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from shared.errors import CheckpointError
from shared.hand_model import HandModel
from shared.json_text import parse_json
from shared.storage.local_copy import fetch
from shared.storage.location import Location, is_url
from trainer.networks.weights.packed import FORMAT, OPEN, packed_file, read_packed, some_of

logger = logging.getLogger(__name__)

COARSE_MESH: Final = "coarse_mesh"
"""In the header of weights with tokens of a coarse mesh: which vertices they stand for."""

_WEIGHTS, _BEST = "model.safetensors", "checkpoints/best"
_PREFIXES: Final = ("module.", "_orig_mod.")
"""What distributed and compiled networks put before every name."""
_NESTED: Final = ("state_dict", "model_state_dict", "model", "network")
"""Where the training checkpoints of others hold the weights."""
_BACKBONE: Final = "backbone."


def _kept_as_given(given: Location) -> Location:
    return given if is_url(given) or str(given) == OPEN else Path(given)


StartPlace = Annotated[Location, AfterValidator(_kept_as_given)]
"""A URL or the word ``open`` as text, everything else as a path."""


@dataclass(frozen=True, slots=True, eq=False)
class StartWeights:
    """Weights that were read.

    Attributes:
        where: Where they were found.
        tensors: By name.
        coarse_mesh: Which vertices their tokens stand for, if they say so.
        hand_model_sha256: Of the hand that they predict, if they say so.
    """

    where: str
    tensors: Mapping[str, Tensor]
    coarse_mesh: str | None = None
    hand_model_sha256: str | None = None

    def fitting(self, network: nn.Module) -> set[str]:
        """Return the names of tensors that a network has in the same shape."""
        own = network.state_dict()
        return {
            name for name, value in self.tensors.items() if name in own and own[name].shape == value.shape
        }

    def require_whole(self, network: nn.Module) -> None:
        """Make sure that nothing of a network is left as it was.

        Raises:
            CheckpointError: Some of its tensors are missing, or have another shape.
        """
        missing = network.state_dict().keys() - self.fitting(network)
        if missing:
            raise CheckpointError(
                f"{self.where}: expected all weights of this {type(network).__name__}, found {len(missing)} "
                f"missing or of another shape: {some_of(missing)}.",
                remedy="Name the network that they are of.",
            )

    def cover(self, network: nn.Module) -> bool:
        """Whether so much of a network is replaced that its ImageNet weights need not be fetched."""
        return 2 * len(self.fitting(network)) >= len(network.state_dict())


def read_start_weights(place: Location) -> StartWeights:
    """Read weights; nothing that a file holds is executed.

    Args:
        place: A run, a checkpoint, packed weights, or a state dict of `torch.save` or safetensors, by its
            path, or a run or checkpoint by its URL; ``open`` is the open model.

    Raises:
        CheckpointError: There are none, or they are damaged.
        StorageError: The URL cannot be read.
    """
    path = _file_of(place)
    try:
        if path.suffix != ".safetensors":
            content = torch.load(path, map_location="cpu", weights_only=True)
            return StartWeights(str(path), _state_dict(content, path))
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
        if FORMAT in header:
            packed = read_packed(path)
            return StartWeights(str(path), packed.tensors, hand_model_sha256=packed.about.hand_model.sha256)
        return StartWeights(str(path), load_file(path), header.get(COARSE_MESH), _hand_model_beside(path))
    except (OSError, RuntimeError, EOFError, ValueError, SafetensorError, pickle.UnpicklingError) as error:
        reason = str(error).partition("\n")[0].rstrip(".") or type(error).__name__
        raise CheckpointError(
            f"{path}: expected weights to start from, found {reason}.",
            remedy="Give a run, a checkpoint, packed weights, or a file of names and tensors.",
        ) from error


def load_start_weights(
    network: nn.Module,
    start: StartWeights,
    hand_model: HandModel,
    *,
    coarse_mesh: str | None,
    is_chosen: bool,
) -> None:
    """Put weights into a network as far as names and shapes are equal, and list the rest.

    Args:
        network: Changed in place.
        start: The weights.
        hand_model: Whose mesh the network predicts.
        coarse_mesh: Which vertices the tokens of the network stand for; None without tokens.
        is_chosen: Whether the configuration names that choice of vertices.

    Raises:
        CheckpointError: Nothing fits, or the tokens stand for other vertices.
    """
    if start.hand_model_sha256 not in (None, hand_model.sha256):
        logger.warning("%s was trained with another hand model than %s.", start.where, hand_model.name)
    own = network.state_dict()
    taken = start.fitting(network)
    if not taken:
        raise CheckpointError(
            f"{start.where}: expected weights of {type(network).__name__}, found nothing in common; "
            f"its names: {some_of(start.tensors)}.",
            remedy="Configure the network that they were trained with.",
        )
    has_tokens = coarse_mesh is not None and not all(name.startswith(_BACKBONE) for name in taken)
    if has_tokens and start.coarse_mesh != coarse_mesh and not (start.coarse_mesh is None and is_chosen):
        raise CheckpointError(
            f"{start.where}: expected tokens of the same coarse mesh, found "
            f"{start.coarse_mesh or 'weights that do not say which'}.",
            remedy="Set model.coarse_mesh to the mano_downsampling.npz that they were trained with.",
        )
    network.load_state_dict({name: start.tensors[name] for name in taken}, strict=False)
    other_shape = {name for name in start.tensors if name in own} - taken
    rest = {
        "keep their own start": own.keys() - taken - other_shape,
        "have another shape": other_shape,
        "of the file are not used": start.tensors.keys() - own.keys(),
    }
    listed = "".join(f"; {len(names)} {what}: {some_of(names)}" for what, names in rest.items() if names)
    logger.info("Starting from %s: %d of %d tensors%s.", start.where, len(taken), len(own), listed)


def _file_of(place: Location) -> Path:
    if str(place) == OPEN:
        return packed_file(OPEN)
    path = fetch(place, only=("*.json", "*.toml", _BEST, f"*{_WEIGHTS}"))
    if path.is_dir() and (path / _BEST).exists():
        path = path / "checkpoints" / (path / _BEST).read_text(encoding="utf-8").strip()
    return path / _WEIGHTS if path.is_dir() else path


def _state_dict(content: object, path: Path) -> dict[str, Tensor]:
    while isinstance(content, Mapping):
        inner = next((content[name] for name in _NESTED if isinstance(content.get(name), Mapping)), None)
        if inner is None:
            break
        content = inner
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise CheckpointError(
            f"{path}: expected weights to start from, found other things than names and tensors.",
            remedy="Save the state dict of the network, and give that.",
        )
    tensors = {str(name): value for name, value in content.items()}
    for prefix in _PREFIXES:
        if tensors and all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
    return tensors


def _hand_model_beside(path: Path) -> str | None:
    """Return the hash of the hand model that a checkpoint notes beside its weights."""
    notes = path.with_name("provenance.json")
    if not notes.exists():
        return None
    sha256 = parse_json(notes.read_bytes()).get("hand_model_sha256")
    return str(sha256) if sha256 else None
