"""What is asked of a detector of people, and what it answers; `bg_filter.detectors.yolo` has the networks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from shared.images import Rgb

DEFAULT_WEIGHTS = ("yolov8n.pt",)
PERSON = ("person",)


class Detection(NamedTuple):
    """The most confident person in a picture.

    Attributes:
        confidence: In [0, 1]; 0 if no box scores at all.
        box: Left, top, right, bottom, as fractions of the picture.
    """

    confidence: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class DetectorSettings:
    """Which networks look for what.

    Attributes:
        weights: Files, or names that ultralytics downloads; the most confident of several networks decides.
        classes: Class names that count as a person; each network must know one of them at least.
        input_px: Side of the square frame that the networks see. LSUN's pictures are 256 pixels high.
    """

    weights: tuple[str, ...] = DEFAULT_WEIGHTS
    classes: tuple[str, ...] = PERSON
    input_px: int = 320


class Detector(Protocol):
    """Anything that finds people.

    Attributes:
        identity: Names and hashes of what decides, stored with every verdict.
        is_recorded: Whether the findings were recorded earlier, with a detector that is not here now.
    """

    identity: str
    is_recorded: bool

    def detect(self, pictures: Sequence[Rgb]) -> list[Detection]:
        """Return one finding per picture."""
        ...
