"""Finding people with ultralytics' networks: one of the two files of the filter that load PyTorch.

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

from bg_filter.detectors.base import Detection, DetectorSettings
from bg_filter.detectors.letterbox import Letterbox, padded
from bg_filter.detectors.weights import quiet_ultralytics, weights_file
from shared.errors import BackgroundError, DeviceError
from shared.images import Rgb

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

    is_recorded = False

    def __init__(self, settings: DetectorSettings, *, device: str = "auto") -> None:
        self.device = device_named(device)
        self._networks = [_Network(name, settings, self.device) for name in settings.weights]
        self.identity = ", ".join(network.identity for network in self._networks)

    @torch.inference_mode()
    def detect(self, pictures: Sequence[Rgb]) -> list[Detection]:
        """Return the most confident person of every picture.

        A picture's frame depends on the picture alone, so its finding does not depend on its batch.

        Raises:
            DeviceError: The batch does not fit into the memory of the GPU.
        """
        try:
            findings = [network.detect(pictures) for network in self._networks]
        except torch.OutOfMemoryError as error:
            raise DeviceError(
                f"{self.device}: expected memory for {len(pictures)} pictures at once, found too little.",
                remedy="Give a smaller --batch-size; the run resumes where it stopped.",
            ) from error
        return [max(finding, key=lambda each: each.confidence) for finding in zip(*findings, strict=True)]


class _Network:
    """A network that ultralytics can load, in whatever format, reduced to the classes that matter here."""

    def __init__(self, name: str, settings: DetectorSettings, device: torch.device) -> None:
        with quiet_ultralytics():
            path = weights_file(name)
            self._backend = _load(path, device)
        known = {label: index for index, label in self._backend.names.items()}
        labels = [label for label in settings.classes if label in known]
        if not labels:
            raise BackgroundError(
                (
                    f"{name}: expected a detector of {' or '.join(settings.classes)}, found the classes "
                    f"{', '.join(list(known)[:5])}, ..."
                ),
                remedy="Give other --weights or --classes.",
            )
        self._device = device
        self._wanted = torch.tensor([known[label] for label in labels], device=device)
        self._limits = self._exported_size() or self._asked_size(settings.input_px)
        size = "x".join(str(side) for side in dict.fromkeys(self._limits))
        self.identity = f"{size} px: {path.name} sha256:{_sha256(path)} {'/'.join(labels)}"
        self._try_out(name)

    def detect(self, pictures: Sequence[Rgb]) -> list[Detection]:
        """Return the most confident person of every picture."""
        letterboxes = [
            Letterbox.of(*picture.shape[:2], limits=self._limits, is_trimmed=self._takes_any_size)
            for picture in pictures
        ]
        findings: dict[int, Detection] = {}
        for frame_size in {letterbox.frame_size for letterbox in letterboxes}:
            members = [number for number, each in enumerate(letterboxes) if each.frame_size == frame_size]
            frames = torch.full((len(members), 3, *frame_size), PADDING, device=self._device)
            for number, frame in zip(members, frames, strict=True):
                _paste(pictures[number], frame, letterboxes[number])
            for number, row in zip(members, self.best_person(frames).cpu().numpy(), strict=True):
                findings[number] = Detection(float(row[0]), letterboxes[number].fractions(row[1:]))
        return [findings[number] for number in range(len(pictures))]

    @property
    def _takes_any_size(self) -> bool:
        return (self._backend.format == "pt" and not self._is_rtdetr) or self._backend.dynamic

    @property
    def _is_rtdetr(self) -> bool:
        is_exported = self._backend.metadata.get("head") == "RTDETRDecoder"
        return is_exported or type(self._backend.model).__name__ == "RTDETRDetectionModel"

    def _exported_size(self) -> tuple[int, int] | None:
        """Return rows and columns of the only frame that an export takes; None for those that take any."""
        exported = None if self._takes_any_size else self._backend.metadata.get("imgsz")
        return None if exported is None else (int(exported[0]), int(exported[1]))

    def _asked_size(self, input_px: int) -> tuple[int, int]:
        """Return the limits of what is drawn; of an RT-DETR they are the frame itself, so it must fit."""
        asked = (input_px, input_px)
        return padded(asked) if self._is_rtdetr else asked

    def _try_out(self, name: str) -> None:
        """Look at nothing, so that weights of another kind are reported before a database is begun."""
        if self._backend.metadata.get("args", {}).get("nms"):
            raise BackgroundError(
                (
                    f"{name}: expected a network that tells the confidence of every box, "
                    "found an export that "
                    "drops the lower ones itself."
                ),
                remedy="Export it without nms=True.",
            )
        frame_size = padded(self._limits) if self._takes_any_size else self._limits
        frames = torch.full((1, 3, *frame_size), PADDING, device=self._device)
        try:
            with torch.inference_mode():
                self.best_person(frames)
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            raise BackgroundError(
                (
                    f"{name}: expected a network that finds objects in frames of {frame_size} pixels, "
                    f"found a problem: {_first_sentence(error)}."
                ),
                remedy="Give other --weights.",
            ) from error

    def best_person(self, frames: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch 5"]:
        """Return the score and the corners, in pixels, of the best box of each frame."""
        output = self._backend(frames.half() if self._backend.fp16 else frames)
        while isinstance(output, list | tuple):  # boxes come first, then masks, then what training needs
            output = output[0]
        boxes = output.float()
        if boxes.ndim != 3:
            raise BackgroundError(
                (
                    f"{self.identity}: expected a network that finds objects, found one that answers with "
                    f"{tuple(boxes.shape)} numbers."
                ),
                remedy="Give other --weights.",
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
        runtime = "meshcycle[export]" if path.suffix == ".onnx" else "the runtime of this format"
        remedy = f"Install {runtime}, or give" if isinstance(error, ImportError) else "Give"
        raise BackgroundError(
            (
                f"{path}: expected weights that ultralytics can load, found a problem: "
                f"{_first_sentence(error)}."
            ),
            remedy=f"{remedy} other --weights.",
        ) from error
    network.eval()
    return network


def _first_sentence(error: Exception) -> str:
    """What libraries have to say can be long; the remedy that follows is ours."""
    lines = (str(error).strip() or type(error).__name__).splitlines()
    return lines[0].removeprefix("ERROR ❌️ ").split(". ")[0].rstrip(".")


def device_named(name: str) -> torch.device:
    """Return a device, a GPU for ``auto`` where there is one.

    Raises:
        DeviceError: It does not exist here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:  # an unknown name; a device that PyTorch cannot reach
        raise DeviceError(
            f"--device {name}: expected a device of this machine, found that PyTorch cannot use it.",
            remedy="Give cpu, or auto.",
        ) from error
    return device


def _paste(picture: Rgb, frame: Float[Tensor, "3 height width"], letterbox: Letterbox) -> None:
    pixels = torch.tensor(picture).to(frame.device).permute(2, 0, 1)[None].to(frame.dtype)
    scaled = functional.interpolate(
        pixels,
        (letterbox.height, letterbox.width),
        mode="bilinear",
        align_corners=False,
        antialias=letterbox.width < pixels.shape[-1],
    )
    frame[
        :, letterbox.top : letterbox.top + letterbox.height, letterbox.left : letterbox.left + letterbox.width
    ] = scaled[0] / 255


def _corners(boxes: Float[Tensor, "batch boxes 4"]) -> Float[Tensor, "batch boxes 4"]:
    centre, size = boxes[..., :2], boxes[..., 2:]
    return torch.cat([centre - size / 2, centre + size / 2], dim=-1)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")) if path.is_dir() else [path]:  # some exports are folders
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()
