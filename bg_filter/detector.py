"""Finding people with ultralytics' networks: the one file of the filter that loads PyTorch.

Only the network is theirs. What counts is the highest score that any box gives to a wanted class, so boxes
need not compete with each other, and a box that looks still more like something else counts too: a missed
person costs more than a lost photograph.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from bg_filter.findings import DetectorSettings, Finding
from bg_filter.letterbox import Place
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
        """Return the most confident person of every picture.

        A picture's frame depends on the picture alone, so its finding does not depend on its batch.
        """
        is_rectangular = all(network.takes_rectangles for network in self._networks)
        places = [
            Place.of(*picture.shape[:2], frame_px=self.input_px, is_rectangular=is_rectangular)
            for picture in pictures
        ]
        findings: dict[int, Finding] = {}
        for frame_size in {place.frame_size for place in places}:
            members = [number for number, place in enumerate(places) if place.frame_size == frame_size]
            frames = torch.full((len(members), 3, *frame_size), PADDING, device=self.device)
            for number, frame in zip(members, frames, strict=True):
                _draw(pictures[number], frame, places[number])
            best = torch.stack([network.best_person(frames) for network in self._networks])
            winner = best[:, :, :1].argmax(dim=0, keepdim=True).expand(1, -1, best.shape[-1])
            for number, row in zip(members, best.gather(0, winner)[0].cpu().numpy(), strict=True):
                findings[number] = Finding(float(row[0]), places[number].fractions(row[1:]))
        return [findings[number] for number in range(len(pictures))]


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

    @property
    def takes_rectangles(self) -> bool:
        """Whether frames may have any shape, and not only the square that the network was exported for."""
        return self._backend.format == "pt" and not self._is_rtdetr

    @property
    def _is_rtdetr(self) -> bool:
        return type(getattr(self._backend, "model", None)).__name__ == "RTDETRDetectionModel"

    def best_person(self, frames: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 5"]:
        """Return the score and the corners, in pixels, of the best box of each frame."""
        output = self._backend(frames.half() if self._backend.fp16 else frames)
        while isinstance(output, list | tuple):  # boxes come first, then masks, then what training needs
            output = output[0]
        boxes = output.float()
        if boxes.ndim != 3:
            raise BackgroundError(
                f"{self.identity}: expected a network that finds objects, found one that answers with "
                f"{tuple(boxes.shape)} numbers. Give other --weights."
            )
        scores, corners = self._scores_and_corners(boxes, size_px=frames.shape[-1])
        best = scores.argmax(dim=1)
        rows = torch.arange(len(best), device=best.device)
        return torch.cat([scores[rows, best, None], corners[rows, best]], dim=1)

    def _scores_and_corners(
        self, boxes: Float[Tensor, "batch _ _"], *, size_px: int
    ) -> tuple[Float[Tensor, "batch boxes"], Float[Tensor, "batch boxes 4"]]:
        """Read the layouts that ultralytics' networks answer in."""
        names_best_class_only = boxes.shape[-1] == 6 or self._backend.end2end
        if names_best_class_only:
            scores = boxes[..., 4] * torch.isin(boxes[..., 5].round().long(), self._wanted)
            corners = _corners(boxes[..., :4]) * size_px if self._is_rtdetr else boxes[..., :4]
        else:
            scores = boxes[:, 4 + self._wanted].amax(dim=1)
            corners = _corners(boxes[:, :4].transpose(1, 2))
        return scores, corners


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


def _draw(picture: Rgb, frame: Float[Tensor, "3 height width"], place: Place) -> None:
    pixels = torch.tensor(picture).to(frame.device).permute(2, 0, 1)[None].to(frame.dtype)
    scaled = functional.interpolate(
        pixels,
        (place.height, place.width),
        mode="bilinear",
        align_corners=False,
        antialias=place.width < pixels.shape[-1],
    )
    frame[:, place.top : place.top + place.height, place.left : place.left + place.width] = scaled[0] / 255


def _corners(boxes: Float[Tensor, "batch boxes 4"]) -> Float[Tensor, "batch boxes 4"]:
    centre, size = boxes[..., :2], boxes[..., 2:]
    return torch.cat([centre - size / 2, centre + size / 2], dim=-1)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:  # some exports are folders
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()
