"""Finding people with ultralytics' networks: the one file of the filter that loads PyTorch.

Only the network is theirs. What counts is the highest score that any box gives to a wanted class, so boxes
need not compete with each other, and a box that looks still more like something else counts too: a missed
person costs more than a lost photograph.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from bg_filter.findings import DetectorSettings, Finding
from bg_filter.pictures import Rgb
from bg_filter.weights import quiet_ultralytics, weights_file
from shared.errors import BackgroundError, DeviceError

PADDING = 114 / 255  # the grey around a picture that the networks were trained with


class YoloDetector:
    """One or several networks; a picture's finding is the most confident one of all.

    Args:
        settings: Which networks look for what.
        device: ``cpu``, ``cuda``, ``cuda:1``, ..., or ``auto`` for a GPU where there is one.

    Raises:
        BackgroundError: Weights are missing, cannot be loaded, or know none of the wanted classes.
        DeviceError: The device does not exist here.
    """

    def __init__(self, settings: DetectorSettings, *, device: str = "auto") -> None:
        self.device = _device(device)
        self.input_px = settings.input_px
        self._networks = [_Network(name, settings.classes, self.device) for name in settings.weights]
        self.identity = f"{settings.input_px} px: " + ", ".join(
            network.identity for network in self._networks
        )

    @torch.inference_mode()
    def detect(self, pictures: Sequence[Rgb]) -> list[Finding]:
        """Return the most confident person of every picture."""
        frames = torch.full((len(pictures), 3, self.input_px, self.input_px), PADDING, device=self.device)
        places = [_letterbox(picture, frame) for picture, frame in zip(pictures, frames, strict=True)]
        found = torch.stack([network.best_person(frames) for network in self._networks])
        best = found.gather(0, found[:, :, :1].argmax(dim=0, keepdim=True).expand(1, -1, 5))[0].cpu().numpy()
        return [_finding(row, place) for row, place in zip(best, places, strict=True)]


class _Network:
    """A network that ultralytics can load, in whatever format, reduced to the classes that matter here."""

    def __init__(self, name: str, classes: Sequence[str], device: torch.device) -> None:
        with quiet_ultralytics():
            path = weights_file(name)
            self._backend = _load(path, device)
        known = {label: index for index, label in self._backend.names.items()}
        self._wanted = torch.tensor([known[label] for label in classes if label in known], device=device)
        if len(self._wanted) == 0:
            raise BackgroundError(
                f"{name}: expected a detector of {' or '.join(classes)}, found the classes "
                f"{', '.join(list(known)[:5])}, ... Give other --weights or --classes."
            )
        labels = "/".join(label for label in classes if label in known)
        self.identity = f"{path.name} sha256:{_sha256(path)} {labels}"

    def best_person(self, frames: Float[Tensor, "batch 3 size size"]) -> Float[Tensor, "batch 5"]:
        """Return the score and the corners, in pixels, of the best box of each frame."""
        output = self._backend(frames.half() if self._backend.fp16 else frames)
        boxes = (output[0] if isinstance(output, list | tuple) else output).float()
        scores, corners = self._scores_and_corners(boxes, size_px=frames.shape[-1])
        best = scores.argmax(dim=1)
        rows = torch.arange(len(best), device=best.device)
        return torch.cat([scores[rows, best, None], corners[rows, best]], dim=1)

    def _scores_and_corners(
        self, boxes: Float[Tensor, "batch _ _"], *, size_px: int
    ) -> tuple[Float[Tensor, "batch boxes"], Float[Tensor, "batch boxes 4"]]:
        """Read the three layouts that ultralytics' detectors answer in."""
        num_channels = 4 + len(self._backend.names)
        if getattr(self._backend, "end2end", False) or boxes.shape[-1] == 6:
            is_wanted = torch.isin(boxes[..., 5].round().long(), self._wanted)
            return boxes[..., 4] * is_wanted, boxes[..., :4]
        if boxes.shape[1] >= num_channels and boxes.shape[2] != num_channels:  # YOLO: channels, then boxes
            scores = boxes[:, 4 + self._wanted].amax(dim=1)
            return scores, _corners(boxes[:, :4].transpose(1, 2))
        scores = boxes[..., 4 + self._wanted].amax(dim=2)  # RT-DETR: fractions of the frame
        return scores, _corners(boxes[..., :4]) * size_px


def _load(path: Path, device: torch.device) -> Any:
    from ultralytics.nn.autobackend import AutoBackend

    try:
        network = AutoBackend(str(path), device=device, fp16=device.type == "cuda", verbose=False)
    except (ImportError, TypeError, RuntimeError, KeyError, AttributeError, OSError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BackgroundError(
            f"{path}: expected weights that ultralytics can load, found a problem: {reason}. "
            "Give other --weights."
        ) from error
    network.eval()
    return network


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # an unknown name; a device that PyTorch cannot reach
        raise DeviceError(
            f"--device {name}: expected a device of this machine, found that PyTorch cannot use it. "
            "Give cpu, or auto."
        ) from error
    return device


def _letterbox(picture: Rgb, frame: Float[Tensor, "3 size size"]) -> tuple[int, int, int, int]:
    """Scale a picture into the middle of a frame; return its left, top, width and height there."""
    height, width = picture.shape[:2]
    size_px = frame.shape[-1]
    scale = size_px / max(height, width)
    new_height, new_width = max(1, round(height * scale)), max(1, round(width * scale))
    left, top = (size_px - new_width) // 2, (size_px - new_height) // 2
    pixels = torch.tensor(picture).to(frame.device).permute(2, 0, 1)[None].to(frame.dtype)
    scaled = functional.interpolate(
        pixels, (new_height, new_width), mode="bilinear", align_corners=False, antialias=scale < 1
    )
    frame[:, top : top + new_height, left : left + new_width] = scaled[0] / 255
    return left, top, new_width, new_height


def _finding(row: Float[np.ndarray, "5"], place: tuple[int, int, int, int]) -> Finding:
    left, top, width, height = place
    corners = (row[1:] - (left, top, left, top)) / (width, height, width, height)
    x_min, y_min, x_max, y_max = np.clip(corners, 0, 1).tolist()
    return Finding(confidence=float(row[0]), box=(x_min, y_min, x_max, y_max))


def _corners(boxes: Float[Tensor, "batch boxes 4"]) -> Float[Tensor, "batch boxes 4"]:
    centre, size = boxes[..., :2], boxes[..., 2:]
    return torch.cat([centre - size / 2, centre + size / 2], dim=-1)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:  # some exports are folders
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()
