"""One encoded picture: recognise it, decode it, measure it, and make it smaller if asked to."""

import io
from dataclasses import dataclass
from typing import Self

import numpy as np
from PIL import Image, ImageStat

from shared.backgrounds.verdicts import Codec
from shared.images import DAMAGED_PICTURE, Rgb, turn_of

MAX_PIXELS = 1 << 26
JPEG_QUALITY = 95
SEEN_PX = 640  # what a detector gets of larger pictures is between this and twice as long
_HASH_SIZE = (9, 8)  # columns and rows; eight differences in each row


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Picture:
    """A decoded picture, upright and 8 bits deep, and what its verdict says about it.

    Attributes:
        encoded: The file.
        codec: How it is encoded.
        image: The pixels.
        is_plain: Whoever decodes the file without further thought sees `image`: it is neither on its side
            nor 16 bits deep, which Pillow would turn to white.
        mean_rgb: Mean colour, sRGB in [0, 1].
        contrast: Standard deviation of the brightness, in [0, 0.5].
        difference_hash: 64 bits that hardly change when a picture is scaled or encoded again.
    """

    encoded: bytes
    codec: Codec
    image: Image.Image
    is_plain: bool
    mean_rgb: tuple[float, float, float]
    contrast: float
    difference_hash: int

    @classmethod
    def decode(cls, encoded: bytes) -> Self | None:
        """Decode and measure; None for what cannot be decoded in full."""
        codec = codec_of(encoded)
        if codec == "bad":
            return None
        try:
            with Image.open(io.BytesIO(encoded)) as file:
                if file.width * file.height > MAX_PIXELS:
                    return None
                file.load()
                turn, is_deep = turn_of(file), file.mode.startswith("I")
                upright = file if turn is None else file.transpose(turn)
                image = _shallow(upright) if is_deep else upright
                image = image if image.mode == "RGB" else image.convert("RGB")  # avoids a copy
        except DAMAGED_PICTURE:
            return None
        grey = image.convert("L")
        red, green, blue = (value / 255 for value in ImageStat.Stat(image).mean)
        return cls(
            encoded=encoded,
            codec=codec,
            image=image,
            is_plain=turn is None and not is_deep,
            mean_rgb=(red, green, blue),
            contrast=ImageStat.Stat(grey).stddev[0] / 255,
            difference_hash=_difference_hash(grey),
        )

    @property
    def rgb(self) -> Rgb:
        """The pixels as an array that may not be written to."""
        return np.asarray(self.image)

    @property
    def seen(self) -> Rgb:
        """What a detector gets: the pixels, or means of squares of them if the picture is large."""
        factor = max(self.image.size) // SEEN_PX
        return np.asarray(self.image.reduce(factor)) if factor > 1 else self.rgb

    def stored(self, *, short_side_px: int | None) -> bytes:
        """Return what the database keeps: the original bytes wherever possible, else a JPEG file.

        Args:
            short_side_px: Longest short side to keep; None keeps every size.
        """
        shrink = 1.0 if short_side_px is None else min(1.0, short_side_px / min(self.image.size))
        if shrink == 1 and self.is_plain:
            return self.encoded
        size = (round(self.image.width * shrink), round(self.image.height * shrink))
        file = io.BytesIO()
        smaller = self.image.resize(size, Image.Resampling.LANCZOS)
        smaller.save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0)
        return file.getvalue()


def codec_of(encoded: bytes) -> Codec:
    """Recognise a file by its first bytes; suffixes can be wrong."""
    if encoded.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if encoded[:4] == b"RIFF" and encoded[8:12] == b"WEBP":
        return "webp"
    if encoded.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    return "bad"


def _shallow(deep: Image.Image) -> Image.Image:
    """Return a grey picture of 16 bits with the upper 8 of them."""
    return Image.fromarray((np.asarray(deep).clip(0, 65535) >> 8).astype(np.uint8))


def _difference_hash(grey: Image.Image) -> int:
    small = np.asarray(grey.resize(_HASH_SIZE, Image.Resampling.BOX))
    return int.from_bytes(np.packbits(small[:, 1:] > small[:, :-1]).tobytes(), "big")
