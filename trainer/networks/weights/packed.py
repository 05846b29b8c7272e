"""Weights that travel alone: one file of safetensors with everything that is needed to use them.

Tensors with two dimensions or more are in half precision, all others as they are. The header has one entry,
``meshcycle-weights-1``, whose JSON is a `PackedNetwork`. One such file is shipped: the open model, which
every command knows as ``open``.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from shared.errors import CheckpointError, HandModelError
from shared.hand_model import HandModel
from shared.json_text import parse_json
from shared.records import Record
from shared.twins.names import ImagePx

OPEN: Final = "open"
"""The name of the weights that are shipped."""
OPEN_FILE: Final = Path(__file__).with_name("open_model.safetensors")
FORMAT: Final = "meshcycle-weights-1"
FRAME: Final = "metres from the wrist; x right, y down, z forward; ndc -1 to 1 across the crop, y down"
"""Of the points and the camera that every network predicts."""


_MOST_NAMES: Final = 6


class HandModelName(Record):
    """Which hand model a network predicts: its name, and the hash of its file."""

    name: str
    sha256: str


class PackedNetwork(Record):
    """What the header says.

    Attributes:
        network: The table [model] of its training.
        input_px: Side of the square that it sees.
        crop_px: Side of that square in the photographs of its training, before it was resized.
        photograph_px: Side of these photographs.
        margin: Side of that square in longer sides of a box that is tight around a hand without its wrist.
        scale: A byte of red, green and blue becomes ``(scale * byte - mean) / sd``.
        mean: See `scale`.
        sd: See `scale`.
        frame: Of the points and the camera, in words.
        hand_model: Whose mesh it predicts.
        licence: Of the weights, and what it asks for.
    """

    network: dict[str, Any]
    input_px: ImagePx
    crop_px: ImagePx
    photograph_px: ImagePx
    margin: float = Field(gt=0, le=100)
    scale: float
    mean: tuple[float, float, float]
    sd: tuple[float, float, float]
    frame: str
    hand_model: HandModelName
    licence: str


class PackedWeights(NamedTuple):
    """A file that was read, its tensors in 32 bits."""

    path: Path
    about: PackedNetwork
    tensors: dict[str, Tensor]


def write_packed(path: Path, network: nn.Module, about: PackedNetwork) -> None:
    """Write the weights of a network in half precision.

    Raises:
        OSError: It cannot be written.
    """
    tensors = {name: _packed(value) for name, value in network.state_dict().items()}
    save_file(tensors, path, metadata={FORMAT: about.model_dump_json()})


def read_packed(name: Path | str) -> PackedWeights:
    """Read weights by the name ``open``, or by their path; nothing that the file holds is executed.

    Raises:
        CheckpointError: The file is not there, damaged, or no such file.
    """
    path = packed_file(name)
    try:
        with safe_open(path, framework="pt") as file:
            header = (file.metadata() or {}).get(FORMAT)
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  # no mapping
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"{path}: expected packed weights, found {str(error).rstrip('.')}.",
            remedy="Copy the file again.",
        ) from error
    if header is None:
        raise CheckpointError(
            f"{path}: expected packed weights, found no {FORMAT} in its header.",
            remedy="Give the folder of a run or of a checkpoint, or a file that was packed.",
        )
    try:
        about = PackedNetwork.model_validate(parse_json(header))
    except (ValueError, ValidationError) as error:
        raise CheckpointError(
            f"{path}: expected {FORMAT} in its header, found {str(error).splitlines()[0]}.",
            remedy="Use the release that wrote it.",
        ) from error
    return PackedWeights(path, about, {key: _unpacked(value) for key, value in tensors.items()})


def packed_file(name: Path | str) -> Path:
    """Return the file that a name means.

    Raises:
        CheckpointError: It is the name of the open model, which this copy does not have.
    """
    if str(name) != OPEN:
        return Path(name)
    if not OPEN_FILE.exists():
        raise CheckpointError(
            f"{OPEN}: expected the weights of the open model in the package, found none.",
            remedy="Give a run of your own, such as --checkpoint demo/run.",
        )
    return OPEN_FILE


def load_packed(network: nn.Module, packed: PackedWeights, hand_model: HandModel) -> None:
    """Put packed weights into a network.

    Raises:
        HandModelError: They are of another hand.
        CheckpointError: They are of another network.
    """
    wanted = packed.about.hand_model
    if wanted.sha256 != hand_model.sha256:
        raise HandModelError(
            f"{packed.path.name}: expected its own hand, {wanted.name} (sha256 {wanted.sha256[:12]}), "
            f"found {hand_model.name} ({hand_model.sha256[:12]}).",
            remedy="Leave the hand model out for the open model; train from ImageNet weights for another.",
        )
    load_by_name(
        network,
        packed.tensors,
        where=str(packed.path),
        remedy=f"Configure the network that was packed: {json.dumps(packed.about.network)}.",
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
        "missing": expected.keys() - found.keys(),
        "unexpected": found.keys() - expected.keys(),
        "of another shape": {name for name in shared if expected[name].shape != found[name].shape},
    }
    if any(problems.values()):
        listed = "; ".join(
            f"{len(names)} {what} ({some_of(names)})" for what, names in problems.items() if names
        )
        raise CheckpointError(
            f"{where}: expected the weights of this {type(network).__name__}, found {listed}.",
            remedy=remedy,
        )
    network.load_state_dict(dict(found))


def some_of(names: Iterable[str]) -> str:
    """Return the first names in order, and how many more there are."""
    ordered = sorted(names)
    more = len(ordered) - _MOST_NAMES
    return ", ".join(ordered[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def _packed(value: Tensor) -> Tensor:
    value = value.detach().cpu().contiguous()
    return value.half() if value.is_floating_point() and value.dim() > 1 else value


def _unpacked(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value
