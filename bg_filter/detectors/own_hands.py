"""The hand finder that comes with the package: a small YOLO that tells left hands from right ones.

``docs/hand_finder.md`` says what it was trained on and how good it is; ``tools/hand_finder`` made it.
"""

import math
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
from jaxtyping import Float, Float32
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from bg_filter.detectors.letterbox import Letterbox
from bg_filter.detectors.own_hands_onnx import open_finder_network
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
CONFIDENCE: Final = 0.4
"""Chosen on what it was trained on (docs/hand_finder.md)."""

_INPUT_PX: Final = 320
_SAME_HAND: Final = 0.5
"""Intersection over union above which two boxes are the same hand."""
_CLOSER_PX: Final = 160
_CLOSER_MARGIN: Final = 2.2
"""Side of the second look, in pixels and in longer sides of the box."""

_LEAST_VOTE: Final = 1e-3
"""A side without any vote is not impossible."""

_JOINT_BOXES: Final = 1.22
"""Side of a box that it finds, flesh and all, in sides of the box around the joints (EXPERIMENTS.md)."""

type Box = tuple[float, float, float, float]
"""First column, first row, columns, and rows, from the corner of the photograph."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundHand:
    """A hand in a photograph.

    Attributes:
        box: Where it is.
        side: Which hand it is.
        confidence: In [0, 1].
        side_log_odds: How much likelier it is this hand than the other, as a logarithm.
    """

    box: Box
    side: Side
    confidence: float
    side_log_odds: float


class OwnHandFinder:
    """Finds hands and says which they are.

    Args:
        margin: Side of the square around a hand, in longer sides of the box around its joints.
        sides: Which hands they are, whatever the network says; None believes it.
        confidence: Least score of a hand.
        device: ``cpu``, ``cuda``, ``cuda:1``, ..., or ``auto`` for a GPU where there is one; for PyTorch.
        runtime: ``torch``, or ``onnx`` for ONNX Runtime on the CPU.
        weights: A file that ``tools/hand_finder`` exported.

    Raises:
        BackgroundError: The weights are missing or damaged.
        DeviceError: The device does not exist here.
        ConfigError: ONNX Runtime is wanted and not installed.
        ExportError: It computes something else than PyTorch.
    """

    def __init__(
        self,
        *,
        margin: float,
        sides: Sides | None = None,
        confidence: float | None = None,
        device: str = "auto",
        runtime: str = "torch",
        weights: Path = WEIGHTS,
    ) -> None:
        self._margin, self._sides = margin, sides
        self._confidence = CONFIDENCE if confidence is None else confidence
        self._device = device_named("cpu" if runtime == "onnx" else device)
        self._network = load_network(weights).to(self._device)
        self._opened = open_finder_network(self._network, weights) if runtime == "onnx" else None

    def find(self, rgb: Rgb) -> list[HandSquare]:
        """Return the squares around the hands, the most confident first."""
        return [square for hand in self.detect(rgb) for square in self.squares_of(hand)]

    def squares_of(self, hand: FoundHand) -> list[HandSquare]:
        """Return the squares around a hand: one for each side that it may be."""
        return [
            HandSquare.around_box(
                hand.box,
                margin=self._margin / _JOINT_BOXES,
                side=side,
                confidence=hand.confidence,
                side_log_odds=hand.side_log_odds if self._sides is None else math.inf,
            )
            for side in ((hand.side,) if self._sides is None else sides_of(self._sides))
        ]

    def detect(self, rgb: Rgb) -> list[FoundHand]:
        """Return the hands, the most confident first."""
        rows, columns = rgb.shape[:2]
        letterbox = Letterbox.of(rows, columns, limits=(_INPUT_PX, _INPUT_PX), is_trimmed=True)
        scores, corners = self._look(_framed(rgb, letterbox))[0]
        likely = np.flatnonzero(scores.max(axis=1) >= self._confidence)
        likely = likely[np.argsort(-scores[likely].max(axis=1), kind="stable")]
        hands = []
        for each in likely[_apart(corners[likely])]:
            left, top, right, bottom = letterbox.fractions(corners[each])
            box = (left * columns, top * rows, (right - left) * columns, (bottom - top) * rows)
            if min(box[2:]) > 0:
                side, log_odds = self._side_of(rgb, box)
                confidence = float(scores[each].max())
                hands.append(FoundHand(box=box, side=side, confidence=confidence, side_log_odds=log_odds))
        return hands

    def _side_of(self, rgb: Rgb, box: Box) -> tuple[Side, float]:
        """Look again at the hand alone, as it is and mirrored: one look mistakes the side twice as often.

        Returns the side, and its log-odds.
        """
        frame, inside = _closer(rgb, box)
        frames = torch.from_numpy(np.stack([frame, frame[:, ::-1]])).permute(0, 3, 1, 2).contiguous()
        mirrored = inside[[2, 1, 0, 3]] * (-1, 1, -1, 1) + (_CLOSER_PX, 0, _CLOSER_PX, 0)
        votes = np.zeros(len(SIDES))
        for (scores, corners), place, turn in zip(
            self._look(frames), (inside, mirrored), (1, -1), strict=True
        ):
            votes += scores[_overlaps(place, corners) > _SAME_HAND].sum(axis=0)[::turn]
        side = int(votes.argmax())
        log_votes = np.log(votes + _LEAST_VOTE)
        return SIDES[side], float(log_votes[side] - log_votes[1 - side])

    @torch.inference_mode()
    def _look(
        self, frames: Float[Tensor, "frames 3 height width"]
    ) -> list[tuple[Float[np.ndarray, "boxes 2"], Float[np.ndarray, "boxes 4"]]]:
        """Return the scores and the corners of all boxes of every frame."""
        if self._opened is None:
            output = self._network(frames.to(self._device))[0].float().cpu().numpy()
        else:
            (output,) = self._opened(frames.numpy())
        return [
            (each[4:].T, np.concatenate([each[:2] - each[2:4] / 2, each[:2] + each[2:4] / 2]).T)
            for each in output
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


def _closer(rgb: Rgb, box: Box) -> tuple[Float32[np.ndarray, "rows columns 3"], Float[np.ndarray, " 4"]]:
    """Return a frame around a box, and where the box is in it."""
    x, y, columns, rows = box
    centre = np.array([x + columns / 2, y + rows / 2])
    scale = _CLOSER_PX / (_CLOSER_MARGIN * max(columns, rows))
    # A pixel's centre is half a pixel from its corner, in the photograph and in the frame.
    shift = _CLOSER_PX / 2 - scale * (centre - 0.5) - 0.5
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    size = (_CLOSER_PX, _CLOSER_PX)
    frame = cv2.warpAffine(
        rgb,
        matrix,
        size,
        flags=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    half = scale * np.array([columns, rows]) / 2
    inside = np.concatenate([_CLOSER_PX / 2 - half, _CLOSER_PX / 2 + half])
    return frame.astype(np.float32) / 255, inside


def _apart(corners: Float[np.ndarray, "boxes 4"]) -> list[int]:
    """Return which boxes to keep, the best first: of those that overlap much, whatever their side, one."""
    kept: list[int] = []
    for each, box in enumerate(corners):
        if not kept or _overlaps(box, corners[kept]).max() <= _SAME_HAND:
            kept.append(each)
    return kept


def _overlaps(
    box: Float[np.ndarray, " 4"], corners: Float[np.ndarray, "boxes 4"]
) -> Float[np.ndarray, " boxes"]:
    """Return intersections over unions."""
    across, down = (np.minimum(box[2:], corners[:, 2:]) - np.maximum(box[:2], corners[:, :2])).clip(0).T
    areas = (corners[:, 2:] - corners[:, :2]).prod(axis=1)
    shared = across * down
    overlaps: Float[np.ndarray, " boxes"] = shared / (areas + (box[2:] - box[:2]).prod() - shared + 1e-9)
    return overlaps
