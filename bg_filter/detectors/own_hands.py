"""The hand finder that comes with the package: a small YOLO that tells left hands from right ones.

``docs/hand_finder.md`` says what it was trained on and how good it is; ``tools/hand_finder`` made it.
"""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from bg_filter.detectors.letterbox import Letterbox
from bg_filter.detectors.weights import quiet_ultralytics
from bg_filter.detectors.yolo import PADDING, device_named
from shared.errors import BackgroundError
from shared.images import Rgb
from shared.seams.hand_finder import HandSquare, Sides, sides_of
from shared.types import Side

WEIGHTS: Final = Path(__file__).with_name("own_hands.safetensors")
ARCHITECTURE: Final = "yolov8n.yaml"
"""Ultralytics' description of the network; the file holds nothing but its weights, in 16 bits."""
SIDES: Final[tuple[Side, ...]] = ("left", "right")
"""Its classes."""
CONFIDENCE: Final = 0.35
"""Chosen on what it was trained on (docs/hand_finder.md)."""

_INPUT_PX: Final = 320
_MOST_OVERLAP: Final = 0.55
"""Intersection over union above which two boxes are the same hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundHand:
    """A hand in a photograph.

    Attributes:
        box: First column, first row, columns, and rows, from the corner of the photograph.
        side: Which hand it is.
        confidence: In [0, 1].
    """

    box: tuple[float, float, float, float]
    side: Side
    confidence: float


class OwnHandFinder:
    """Finds hands and says which they are.

    Args:
        margin: Side of the square around a hand, in longer sides of its box.
        sides: Which hands they are, whatever the network says; None believes it.
        confidence: Least score of a hand.
        device: ``cpu``, ``cuda``, ``cuda:1``, ..., or ``auto`` for a GPU where there is one.
        weights: A file that ``tools/hand_finder`` exported.

    Raises:
        BackgroundError: The weights are missing or damaged.
        DeviceError: The device does not exist here.
    """

    def __init__(
        self,
        *,
        margin: float,
        sides: Sides | None = None,
        confidence: float | None = None,
        device: str = "auto",
        weights: Path = WEIGHTS,
    ) -> None:
        self._margin, self._sides = margin, sides
        self._confidence = CONFIDENCE if confidence is None else confidence
        self._device = device_named(device)
        self._network = load_network(weights).to(self._device)

    def find(self, rgb: Rgb) -> list[HandSquare]:
        """Return the squares around the hands, the most confident first."""
        return [
            HandSquare.around_box(hand.box, margin=self._margin, side=side, confidence=hand.confidence)
            for hand in self.detect(rgb)
            for side in ((hand.side,) if self._sides is None else sides_of(self._sides))
        ]

    @torch.inference_mode()
    def detect(self, rgb: Rgb) -> list[FoundHand]:
        """Return the hands, the most confident first."""
        rows, columns = rgb.shape[:2]
        letterbox = Letterbox.of(rows, columns, limits=(_INPUT_PX, _INPUT_PX), is_trimmed=True)
        output = self._network(_framed(rgb, letterbox).to(self._device))[0][0].float().cpu()
        scores, classes = output[4:].max(dim=0)
        likely = (scores >= self._confidence).nonzero().ravel()
        likely = likely[scores[likely].argsort(descending=True, stable=True)]
        corners = _corners(output[:4, likely].T)
        return [
            FoundHand(
                box=_in_photograph(corners[each].numpy(), letterbox, rows=rows, columns=columns),
                side=SIDES[int(classes[likely[each]])],
                confidence=float(scores[likely[each]]),
            )
            for each in _apart(corners)
        ]


def load_network(path: Path) -> Any:
    """Return the network of a file, which cannot run code.

    Raises:
        BackgroundError: It is missing, damaged, or holds another network.
    """
    with quiet_ultralytics():
        network = import_module("ultralytics.nn.tasks").DetectionModel(ARCHITECTURE, verbose=False)
    head = network.model[-1]  # as wide as COCO's, whose weights the training began with; the end is ours
    head.nc, head.no = len(SIDES), len(SIDES) + 4 * head.reg_max
    for branch in head.cv3:
        branch[-1] = torch.nn.Conv2d(branch[-1].in_channels, len(SIDES), 1)
    try:
        network.load_state_dict({name: some.float() for name, some in load_file(path).items()})
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise BackgroundError(
            f"{path}: expected the weights of the hand finder, found a problem: {reason}",
            remedy="Install the package anew, or give --detector other weights.",
        ) from error
    return network.fuse(verbose=False).eval()


def _framed(rgb: Rgb, letterbox: Letterbox) -> Float[Tensor, "1 3 height width"]:
    """Return the frame that the network sees."""
    size = (letterbox.width, letterbox.height)
    method = cv2.INTER_AREA if letterbox.width < rgb.shape[1] else cv2.INTER_LINEAR
    frame = np.full((*letterbox.frame_size, 3), PADDING, np.float32)
    inside = np.s_[
        letterbox.top : letterbox.top + letterbox.height, letterbox.left : letterbox.left + letterbox.width
    ]
    frame[inside] = cv2.resize(rgb, size, interpolation=method).astype(np.float32) / 255
    return torch.from_numpy(frame).permute(2, 0, 1)[None].contiguous()


def _apart(corners: Float[Tensor, "boxes 4"]) -> list[int]:
    """Return which boxes to keep, the best first: of those that overlap much, whatever their side, one."""
    kept: list[int] = []
    areas = (corners[:, 2:] - corners[:, :2]).clamp(min=0).prod(dim=1)
    for each in range(len(corners)):
        if kept:
            others = corners[kept]
            low, high = (
                torch.maximum(others[:, :2], corners[each, :2]),
                torch.minimum(others[:, 2:], corners[each, 2:]),
            )
            shared = (high - low).clamp(min=0).prod(dim=1)
            if bool((shared / (areas[kept] + areas[each] - shared) > _MOST_OVERLAP).any()):
                continue
        kept.append(each)
    return kept


def _corners(boxes: Float[Tensor, "boxes 4"]) -> Float[Tensor, "boxes 4"]:
    centre, size = boxes[:, :2], boxes[:, 2:]
    return torch.cat([centre - size / 2, centre + size / 2], dim=1)


def _in_photograph(
    corners: Float[np.ndarray, " 4"], letterbox: Letterbox, *, rows: int, columns: int
) -> tuple[float, float, float, float]:
    left, top, right, bottom = letterbox.fractions(corners)
    return left * columns, top * rows, (right - left) * columns, (bottom - top) * rows
