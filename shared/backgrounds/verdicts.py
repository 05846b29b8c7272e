"""What the filter found out about one picture, and how that is stored in a row of fixed size."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

type Codec = Literal["bad", "jpeg", "webp", "png"]
CODECS: tuple[Codec, ...] = get_args(Codec.__value__)

VERDICT_ROW = np.dtype(
    [
        ("codec", "u1"),  # position in CODECS
        ("detector", "<u2"),  # position in the database's list of detectors
        ("width_px", "<u4"),
        ("height_px", "<u4"),
        ("confidence", "<f4"),
        ("box", "<f4", 4),
        ("mean_rgb", "<f4", 3),
        ("contrast", "<f4"),
        ("difference_hash", "<u8"),
    ]
)

type VerdictRows = np.ndarray[tuple[int], np.dtype[np.void]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is known about one picture. If the codec is ``bad``, the numbers say nothing.

    Attributes:
        key: ``<source>/<name in the source>``.
        codec: How the source encodes it; ``bad`` if it is empty or cannot be decoded.
        detector: What looked for people, with the hashes of its weights.
        width_px: Width in the source.
        height_px: Height in the source.
        confidence: Highest confidence of a person; 0 if none was found.
        box: Left, top, right, bottom of that person, as fractions of the picture.
        mean_rgb: Mean colour, sRGB in [0, 1].
        contrast: Standard deviation of the brightness, in [0, 0.5].
        difference_hash: 64 bits that hardly change when a picture is scaled or encoded again.
    """

    key: str
    codec: Codec
    detector: str
    width_px: int = 0
    height_px: int = 0
    confidence: float = 0.0
    box: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    mean_rgb: tuple[float, float, float] = (0.0, 0.0, 0.0)
    contrast: float = 0.0
    difference_hash: int = 0

    def packed(self, detectors: Sequence[str]) -> bytes:
        """Return the verdict as a row; `unpacked` is the inverse."""
        row = (
            CODECS.index(self.codec),
            detectors.index(self.detector),
            self.width_px,
            self.height_px,
            self.confidence,
            self.box,
            self.mean_rgb,
            self.contrast,
            self.difference_hash,
        )
        return np.array(row, VERDICT_ROW).tobytes()

    @classmethod
    def unpacked(cls, key: str, row: bytes, detectors: Sequence[str]) -> "Verdict":
        """Read a row."""
        codec, detector, width_px, height_px, confidence, box, mean_rgb, contrast, difference_hash = (
            np.frombuffer(row, VERDICT_ROW)[0].item()
        )
        return cls(
            key=key,
            codec=CODECS[codec],
            detector=detectors[detector],
            width_px=width_px,
            height_px=height_px,
            confidence=confidence,
            box=tuple(box.tolist()),
            mean_rgb=tuple(mean_rgb.tolist()),
            contrast=contrast,
            difference_hash=difference_hash,
        )
