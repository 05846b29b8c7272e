"""Where a picture goes in the frame that a network sees: scaled to fill one side, in the middle."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

STRIDE_PX = 32  # the sides of a frame are multiples of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Letterbox:
    """A rectangle in a frame, in pixels.

    Attributes:
        frame_size: Rows and columns of the frame.
        left: First column of the picture.
        top: First row of the picture.
        width: Columns of the picture after scaling.
        height: Rows of the picture after scaling.
    """

    frame_size: tuple[int, int]
    left: int
    top: int
    width: int
    height: int

    @classmethod
    def of(cls, rows: int, columns: int, *, limits: tuple[int, int], is_trimmed: bool) -> "Letterbox":
        """Fit a picture into a frame.

        Args:
            rows: Rows of the picture.
            columns: Columns of the picture.
            limits: Rows and columns of the frame.
            is_trimmed: Leaves out what of the frame the picture does not need.

        Example:
            >>> Letterbox.of(256, 341, limits=(320, 320), is_trimmed=True)
            Letterbox(frame_size=(256, 320), left=0, top=8, width=320, height=240)
        """
        scale = min(limits[0] / rows, limits[1] / columns)
        height, width = max(1, round(rows * scale)), max(1, round(columns * scale))
        frame_size = padded((height, width)) if is_trimmed else limits
        return cls(
            frame_size=frame_size,
            left=(frame_size[1] - width) // 2,
            top=(frame_size[0] - height) // 2,
            width=width,
            height=height,
        )

    def fractions(self, corners: Float[np.ndarray, "4"]) -> tuple[float, float, float, float]:
        """Return corners in the frame (left, top, right, bottom) as fractions of the picture, in [0, 1]."""
        shifted = corners - (self.left, self.top, self.left, self.top)
        inside = np.clip(shifted / (self.width, self.height, self.width, self.height), 0, 1)
        left, top, right, bottom = inside.tolist()
        return left, top, right, bottom


def padded(size: tuple[int, int]) -> tuple[int, int]:
    """Return the rows and columns of the smallest frame that holds a picture of this size.

    Example:
        >>> padded((240, 320))
        (256, 320)
    """
    rows, columns = (-(-side_px // STRIDE_PX) * STRIDE_PX for side_px in size)
    return rows, columns
