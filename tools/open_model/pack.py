"""From a trained network to the file that is shipped, whose predictions are compared before it is kept."""

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from PIL import Image

from shared.errors import ExportError
from shared.storage.files import write_durably
from trainer.data.dataset import IMAGENET_MEAN, IMAGENET_SD
from trainer.evaluation.predict import predict_crops
from trainer.networks.weights.packed import FRAME, HandModelName, PackedNetwork, write_packed
from trainer.run.trained import TrainedHand, load_trained

MOST_BYTES: Final = 8_000_000
MOST_MM: Final = 1.0
"""How far half precision may move a mesh, in the mean over its vertices."""
LICENCE: Final = "AGPL-3.0-or-later, as meshcycle; docs/model.md says what the weights were made from."

_OF_THE_TRAINING: Final = {"pretrained", "weights"}
_PHOTOGRAPHS: Final = Path(__file__).parents[2] / "docs" / "photographs"


@dataclass(frozen=True, slots=True)
class PackReport:
    """What was packed.

    Attributes:
        path: The file.
        num_bytes: Its size.
        greatest_mm: How far half precision moves the mesh of any of six photographs: mean over vertices.
    """

    path: Path
    num_bytes: int
    greatest_mm: float

    def to_text(self) -> str:
        """Return it in a line."""
        size = f"{self.num_bytes / 1e6:.2f} MB"
        return f"{self.path}: {size}; half precision moves meshes by up to {self.greatest_mm:.3f} mm"

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def pack(trained: TrainedHand, path: Path, *, margin: float) -> PackReport:
    """Write a network in half precision.

    Args:
        trained: On the CPU.
        path: The file; it appears only if it is small enough and predicts alike.
        margin: Side of the square that the network should be shown, in longer sides of a hand's box.

    Raises:
        ExportError: It is too large, or half precision changes what it predicts.
    """
    config, model = trained.config, trained.hand_model
    about = PackedNetwork(
        network=config.model.model_dump(mode="json", exclude=_OF_THE_TRAINING, exclude_none=True),
        input_px=config.data.input_px,
        crop_px=config.data.main_crop_px,
        photograph_px=trained.image_px,
        margin=margin,
        scale=1 / 255,
        mean=IMAGENET_MEAN,
        sd=IMAGENET_SD,
        frame=FRAME,
        hand_model=HandModelName(name=model.name, sha256=model.sha256),
        licence=LICENCE,
    )
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "draft.safetensors"
        write_packed(draft, trained.network, about)
        num_bytes = draft.stat().st_size
        if num_bytes > MOST_BYTES:
            raise ExportError(
                f"{path}: expected at most {MOST_BYTES / 1e6:.0f} MB, found {num_bytes / 1e6:.1f}."
            )
        greatest_mm = _difference_mm(trained, draft)
        if not greatest_mm <= MOST_MM:
            raise ExportError(f"{path}: expected meshes within {MOST_MM} mm, found {greatest_mm:.2f} mm.")
        write_durably(path, [draft.read_bytes()])
    return PackReport(path, num_bytes, greatest_mm)


def _difference_mm(trained: TrainedHand, path: Path) -> float:
    side = trained.config.data.input_px
    pictures = [Image.open(file).resize((side, side)) for file in sorted(_PHOTOGRAPHS.glob("*.jpg"))]
    rgb = torch.from_numpy(np.stack([np.asarray(picture) for picture in pictures]))
    again = load_trained(path, device="cpu")
    verts_m, packed_m = (predict_crops(each.network, rgb).verts_m for each in (trained, again))
    return float(1000 * np.linalg.norm(verts_m - packed_m, axis=2).mean(axis=1).max())
