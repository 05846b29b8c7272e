"""What a renderer must set to project as a camera of ours does, as plain numbers."""

from dataclasses import dataclass
from typing import Final, Literal

CLEARANCE_M: Final = 0.05
"""Room before and behind the hand, so that nothing of it is clipped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lens:
    """A rendered camera that looks along +z of our axes (x right, y down, z forward).

    Attributes:
        kind: Which of the next two fields counts.
        width_m: Width of the picture, for an orthographic lens.
        focal_widths: Focal length in picture widths, for a perspective one.
        location_m: Where the camera is, in our axes.
        shift_right: Of the picture, in picture widths.
        shift_down: Of the picture, in picture widths.
        pixel_aspect: Height of a pixel divided by its width.
        clip_m: Nearest and farthest depth that is drawn, measured from the camera.
    """

    kind: Literal["orthographic", "perspective"]
    width_m: float = 1.0
    focal_widths: float = 1.0
    location_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    shift_right: float = 0.0
    shift_down: float = 0.0
    pixel_aspect: float = 1.0
    clip_m: tuple[float, float]
