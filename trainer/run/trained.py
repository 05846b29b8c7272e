"""A network as it came out of training, with everything that is needed to use it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import torch
from pydantic import ValidationError

from shared.errors import CheckpointError, DeviceError
from shared.freihand.reader import FREIHAND_PX
from shared.hand_model.loading import load_hand_model
from shared.hand_model.model import Fingertips, HandModel
from shared.storage.local_copy import fetch
from shared.storage.location import Location, is_url
from trainer.config.run import TrainConfig
from trainer.config.toml import describe
from trainer.networks.base import HandNetwork
from trainer.networks.build import build_network
from trainer.networks.weights.packed import OPEN, PackedWeights, load_packed, read_packed
from trainer.run.checkpoint import WEIGHTS, best_checkpoint, load_weights
from trainer.run.provenance import recorded_image_px, require_hand_model
from trainer.run.released import Released
from trainer.run.stored_config import read_config

USUAL_MARGIN: Final = 1.5
"""About what FreiHAND's crops of 180 pixels leave around a hand."""
PACKED_SUFFIX: Final = ".safetensors"

type DeviceName = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True, slots=True, eq=False)
class TrainedHand:
    """A trained network.

    Attributes:
        source: Folder of its checkpoint, or the file of its weights where these travel alone.
        config: The configuration that it was trained with; of weights alone, what prediction needs of it.
        hand_model: The hand whose meshes it predicts.
        network: In evaluation mode, on the device that was asked for.
        image_px: Side of the photographs that it was trained with, those of the first source.
        margin: Side of the square that it should be shown, in longer sides of a tight box around a hand.
    """

    source: Path
    config: TrainConfig
    hand_model: HandModel
    network: HandNetwork
    image_px: int = FREIHAND_PX
    margin: float = USUAL_MARGIN

    @property
    def crop_share(self) -> float:
        """Side of the crop that the network was shown, as a share of its photographs'."""
        return self.config.data.main_crop_px / self.image_px

    @property
    def weights_file(self) -> Path:
        """The file of its weights."""
        return self.source if self.is_packed else self.source / WEIGHTS

    @property
    def is_packed(self) -> bool:
        """Whether its weights travel alone, without a run and its photographs."""
        return self.source.suffix == PACKED_SUFFIX or self.source.is_file()


def load_trained(
    place: Location,
    *,
    device: DeviceName = "auto",
    hand_model: Path | None = None,
    fingertips: Fingertips = "default",
    released: Released | None = None,
) -> TrainedHand:
    """Load a checkpoint, the best one of a run, packed weights, or weights that others have released.

    Args:
        place: Folder of a checkpoint or of a run, or the URL of one; a file of packed weights, or ``open``,
            the name of those that come with the package; or a released state dict.
        device: Where to put the network; ``auto`` is a GPU if there is one.
        hand_model: Replaces the path in the configuration, for checkpoints from other machines.
        fingertips: Which vertices of MANO count as fingertips.
        released: What a released state dict does not say; None for a run.

    Raises:
        CheckpointError: There is no checkpoint, or it does not fit its own configuration.
        HandModelError: It was trained with another hand model, or there is no coarse mesh for it.
        ConfigError: A released network is of no kind that can be loaded.
        StorageError: The URL cannot be read, or holds no checkpoint.
        DeviceError: There is no such device.
    """
    if released is not None:
        return _load_released(place, released, device=device, hand_model=hand_model, fingertips=fingertips)
    if not is_url(place) and (str(place) == OPEN or Path(place).suffix == PACKED_SUFFIX):
        return _load_packed(place, device=device, hand_model=hand_model, fingertips=fingertips)
    folder = find_checkpoint(place)
    config = read_config(folder, run_dir=folder.absolute().parents[1])
    hand_model = hand_model or config.hand_model
    model = load_hand_model(hand_model, fingertips=fingertips)
    require_hand_model(model.sha256, folder, given=hand_model)
    network = build_network(config.model, model, cache_dir=_cache_of(folder), from_checkpoint=True)
    load_weights(network, folder)
    network = network.to(choose_device(device)).eval()
    margin = config.model.box_margin or USUAL_MARGIN
    return TrainedHand(folder, config, model, network, recorded_image_px(folder), margin)


def _load_packed(
    name: Location, *, device: DeviceName, hand_model: Path | None, fingertips: Fingertips
) -> TrainedHand:
    packed = read_packed(name)
    about = packed.about
    config = _config_of(packed)
    model = load_hand_model(hand_model, fingertips=fingertips)
    network = build_network(config.model, model, from_checkpoint=True)
    load_packed(network, packed, model)
    network = network.to(choose_device(device)).eval()
    return TrainedHand(packed.path, config, model, network, about.photograph_px, about.margin)


def _config_of(packed: PackedWeights) -> TrainConfig:
    """Return a configuration whose data has crops and no photographs."""
    about = packed.about
    data = {"root": packed.path, "crop_px": about.crop_px, "input_px": about.input_px}
    try:
        return TrainConfig.model_validate(
            {"run_dir": packed.path, "data": data, "model": {**about.network, "pretrained": False}}
        )
    except ValidationError as error:
        raise CheckpointError(
            describe(error, TrainConfig, where=str(packed.path)),
            remedy="Use the release that wrote it.",
        ) from error


def _load_released(
    place: Location,
    released: Released,
    *,
    device: DeviceName,
    hand_model: Path | None,
    fingertips: Fingertips,
) -> TrainedHand:
    weights = Path(place)
    if is_url(place) or weights.is_dir():
        raise CheckpointError(
            f"{place}: expected the file of released weights beside --network, found a run or a URL.",
            remedy="Leave --network out: a run knows its own.",
        )
    config = released.config(weights, hand_model=hand_model)
    model = load_hand_model(hand_model, fingertips=fingertips)
    network = build_network(config.model, model, all_weights=True).to(choose_device(device)).eval()
    return TrainedHand(weights, config, model, network)


def _cache_of(folder: Path) -> Path | None:
    """Return the folder of the run, if that still holds the coarse mesh that it was trained with."""
    run_dir = folder.absolute().parents[1]
    return run_dir if any(run_dir.glob("coarse-mesh-*.npz")) else None


def find_checkpoint(place: Location) -> Path:
    """Return a checkpoint's folder itself, or the best checkpoint of a run; of a URL, no more is fetched.

    Raises:
        CheckpointError: There is none.
        StorageError: The URL cannot be read, or holds none.
    """
    path = _fetched(str(place)) if is_url(place) else Path(place)
    if (path / WEIGHTS).exists():
        return path
    if (path / "checkpoints").is_dir():
        return best_checkpoint(path / "checkpoints")
    found = "another folder" if path.is_dir() else "a file" if path.exists() else "nothing there"
    remedy = "Give the run_dir of a training configuration, or open, the open model."
    if path.is_file():
        remedy = "If these are released weights, say with --network which network they are of."
    raise CheckpointError(
        f"{path}: expected a run, or the folder of a checkpoint with {WEIGHTS}, found {found}.", remedy=remedy
    )


def _fetched(url: str) -> Path:
    """Return a local copy of a checkpoint, or of a run as far as its best checkpoint needs it."""
    best = fetch(url, only=("checkpoints/best", WEIGHTS)) / "checkpoints/best"
    needed = f"checkpoints/{best.read_text(encoding='utf-8').strip()}/*" if best.exists() else "*"
    return fetch(url, only=(needed, "coarse-mesh-*.npz"))


def choose_device(name: DeviceName) -> torch.device:
    """Return the device of that name.

    Raises:
        DeviceError: There is none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise DeviceError(
            "cuda: expected a CUDA device, found none.",
            remedy="Use the CPU, or install a driver.",
        )
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
