"""Finding hands with any of ultralytics' detectors that knows them: a `shared.seams.hand_finder.HandFinder`.

Ultralytics itself publishes one kind that does, trained on Open Images (``yolov8n-oiv7.pt`` and larger, class
"Human hand"); others are trained with its ``hand-keypoints.yaml``, or come with hand networks.
"""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from bg_filter.detectors.weights import quiet_ultralytics, weights_file
from shared.errors import BackgroundError
from shared.images import Rgb
from shared.seams.hand_finder import HandSquare, Sides, sides_of

_HAND = re.compile(r"(?<![a-z])hands?(?![a-z])")
_SIDE = re.compile(r"(?<![a-z])(left|right)(?![a-z])")
_INPUT_PX = 640
_CONFIDENCE = 0.25
_OPTION = "--detector"


class HandDetector:
    """A YOLO that knows hands.

    Classes count whose name says "hand", such as "hand", "Human hand" and "left_hand", or is nothing but
    "left" or "right". Where the name says which hand it is, the network is believed.

    Args:
        weights: A file, or a name that ultralytics downloads.
        sides: Which hands they are, where the name of the class does not say.
        margin: Side of the square around a hand, in longer sides of its box.
        confidence: Least score of a hand; None for what suits most networks.
        device: ``cpu``, ``cuda``, ``cuda:1``, ..., or ``auto`` for a GPU where there is one.

    Raises:
        BackgroundError: The weights are missing, cannot be loaded, or do not know hands.
    """

    def __init__(
        self,
        weights: str,
        *,
        sides: Sides,
        margin: float,
        confidence: float | None = None,
        device: str = "auto",
    ) -> None:
        self._sides, self._margin = sides, margin
        chosen = None if device == "auto" else device  # ultralytics' own word for it
        least = _CONFIDENCE if confidence is None else confidence
        self._options = {"conf": least, "imgsz": _INPUT_PX, "device": chosen, "verbose": False}
        with quiet_ultralytics():
            self._network = _load(weights_file(weights, option=_OPTION))
        names: dict[int, str] = self._network.names
        self._class_sides = {
            number: found for number, name in names.items() if (found := hand_class(name, sides)) is not None
        }
        if not self._class_sides:
            raise BackgroundError(
                (
                    f"{weights}: expected a detector with a class named hand, found the classes "
                    f"{', '.join(list(names.values())[:5])}, ..."
                ),
                remedy=(
                    f"Give {_OPTION} other weights, such as yolov8n-oiv7.pt, or leave it out and give --box."
                ),
            )

    def find(self, rgb: Rgb) -> list[HandSquare]:
        """Return the hands, the most confident first."""
        bgr = np.ascontiguousarray(rgb[..., ::-1])
        with quiet_ultralytics():
            (result,) = self._network.predict(bgr, classes=list(self._class_sides), **self._options)
        boxes = result.boxes
        found = sorted(
            zip(boxes.conf.tolist(), boxes.cls.int().tolist(), boxes.xyxy.tolist(), strict=True), reverse=True
        )
        return [
            # Ultralytics counts from the corner of the top left pixel, as x and y of a box do.
            HandSquare.around_box(
                (left, top, right - left, bottom - top), margin=self._margin, side=side, confidence=confidence
            )
            for confidence, number, (left, top, right, bottom) in found
            for side in sides_of(self._class_sides[number])
        ]


def hand_class(name: str, otherwise: Sides) -> Sides | None:
    """Return which hand a class is, or None if it is none.

    Example:
        >>> [hand_class(name, "right") for name in ("Human hand", "left_hand", "handbag")]
        ['right', 'left', None]
    """
    lower = name.lower()
    side = _SIDE.search(lower)
    if side is not None and (side[0] == lower or _HAND.search(lower)):
        return "left" if side[0] == "left" else "right"
    return otherwise if _HAND.search(lower) else None


def _load(path: Path) -> Any:
    try:
        return import_module("ultralytics").YOLO(str(path), task="detect" if path.suffix != ".pt" else None)
    except (ImportError, TypeError, RuntimeError, KeyError, AttributeError, OSError, ValueError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise BackgroundError(
            f"{path}: expected weights that ultralytics can load, found a problem: {reason}.",
            remedy=f"Give {_OPTION} other weights.",
        ) from error
