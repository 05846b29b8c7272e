"""Small photographs, sources made of them, and a detector that needs no network."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import lmdb
import numpy as np
from PIL import Image

from bg_filter.detectors.base import Detection
from shared.images import Rgb


class RedIsPeople:
    """Takes the mean of red for a person's confidence: a `Detector` without a network.

    Attributes:
        identity: Says so.
        is_recorded: No.
        num_seen: Pictures looked at.
    """

    identity = "red"
    is_recorded = False

    def __init__(self) -> None:
        self.num_seen = 0

    def detect(self, pictures: Sequence[Rgb]) -> list[Detection]:
        self.num_seen += len(pictures)
        return [Detection(float(picture[..., 0].mean()) / 255, (0.0, 0.0, 1.0, 1.0)) for picture in pictures]


def encoded(
    red: float = 0.0, *, seed: int = 0, codec: str = "JPEG", size: tuple[int, int] = (48, 32)
) -> bytes:
    """Return a textured picture whose mean of red is about the given one."""
    noise = np.random.default_rng(seed).integers(0, 256, (4, 6, 3)).astype(np.uint8)
    picture = np.array(Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC))
    picture[..., 0] = round(255 * red)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, codec, quality=90)
    return file.getvalue()


def write_lmdb(path: Path, pictures: Mapping[str, bytes]) -> Path:
    """Write a source the way LSUN is distributed."""
    path.mkdir(parents=True)
    with lmdb.open(str(path), map_size=1 << 28) as environment, environment.begin(write=True) as transaction:
        for name, picture in pictures.items():
            transaction.put(name.encode(), picture)
    return path


def hex_name(number: int) -> str:
    """Return a key of LSUN's kind, ascending with the number."""
    return f"{number:040x}"
