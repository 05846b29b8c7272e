"""Weights that others have published, loaded by their own names."""

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from shared.errors import CheckpointError

_UNUSED = ("backbone.fc.", "backbone.classifier.")
"""ImageNet classifiers, which released files carry along."""

_DISTRIBUTED = "module."
"""What `nn.DataParallel` and its distributed sibling put before every name."""

_MOST_NAMES = 6


def load_released_weights(network: nn.Module, path: Path) -> None:
    """Load a published state dict, such as FastMETRO's, into a network with the same names.

    Weights of an ImageNet classifier are ignored; every other name must fit, in both directions.

    Args:
        network: Changed in place, and only if everything fits.
        path: A ``.safetensors``, or a file of `torch.save` with tensors only.

    Raises:
        CheckpointError: The file cannot be read, or is of another network; the message lists names.
    """
    found = {
        name: value for name, value in _without_prefix(_read(path)).items() if not name.startswith(_UNUSED)
    }
    load_by_name(
        network,
        found,
        where=str(path),
        remedy="Configure the size, backbone and coarse mesh that the weights were trained with.",
    )


def load_by_name(network: nn.Module, found: Mapping[str, Tensor], *, where: str, remedy: str) -> None:
    """Load a state dict of which every name must fit, in both directions.

    Args:
        network: Changed in place, and only if everything fits.
        found: Tensors by name.
        where: What errors call them.
        remedy: What errors say to do.

    Raises:
        CheckpointError: They are of another network; the message lists names.
    """
    expected = network.state_dict()
    shared = expected.keys() & found.keys()
    problems = {
        "missing": sorted(expected.keys() - found.keys()),
        "unexpected": sorted(found.keys() - expected.keys()),
        "of another shape": sorted(name for name in shared if expected[name].shape != found[name].shape),
    }
    if any(problems.values()):
        listed = "; ".join(
            f"{len(names)} {what} ({_list(names)})" for what, names in problems.items() if names
        )
        raise CheckpointError(
            f"{where}: expected the weights of this {type(network).__name__}, found {listed}.",
            remedy=remedy,
        )
    network.load_state_dict(dict(found))


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, SafetensorError, pickle.UnpicklingError) as error:
        reason = str(error).partition("\n")[0].rstrip(".") or type(error).__name__
        raise CheckpointError(
            f"{path}: expected a state dict, found {reason}.",
            remedy="Give the published file of names and tensors.",
        ) from error
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise CheckpointError(
            f"{path}: expected names and tensors alone, found other things.",
            remedy="Give the published state dict, not a training checkpoint.",
        )
    return dict(content)


def _without_prefix(state: dict[str, Tensor]) -> dict[str, Tensor]:
    if all(name.startswith(_DISTRIBUTED) for name in state):
        return {name.removeprefix(_DISTRIBUTED): value for name, value in state.items()}
    return state


def _list(names: list[str]) -> str:
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
