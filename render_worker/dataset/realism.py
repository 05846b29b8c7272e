"""How made-up photographs look: what `meshcycle make-dataset` may be asked for."""

from pydantic import Field

from shared.ranges import Share
from shared.records import Section


class Realism(Section):
    """What makes a render pass for a photograph. Labels do not depend on it, and masks show the visible hand.

    On by default is what photographs of hands have, as often as they have it.
    """

    forearm: bool = True
    """Go on beyond the wrist, with a bare arm or a sleeve, instead of ending in a cut."""
    room_light: bool = True
    """Light from the panoramas that come with Blender, instead of a white lamp under a plain sky."""
    skin_detail: bool = True
    """Creases, nails, and sheen, instead of broad patches alone."""
    jewellery: Share = 0.12
    """How often there is nail polish, and how often a ring, and a band around the wrist."""
    held: Share = 0.3
    """Share of the pictures in which the hand touches a thing, or holds it."""
    occluded: Share = 0.1
    """Share of the other pictures in which an object hides a part of the hand."""
    second_hand: Share = 0.12
    """Share of the pictures with a left hand near the labelled one, which may cover a part of it."""
    shadow: Share = 0.3
    """Share of the pictures in which the hand is near enough to what is behind it for a shadow."""
    defocus_px: float = Field(default=30.0, ge=0, le=100)
    """Largest blur of the background, as a standard deviation: hands are photographed from near. Some stay
    sharp, and some become as plain as a wall, which is strange to a network that has seen places alone
    (EXPERIMENTS.md)."""
    blur_px: float = Field(default=0.8, ge=0, le=100)
    """Largest blur of the picture, as a standard deviation."""
    motion_px: float = Field(default=5.0, ge=0, le=100)
    """How far a picture moves at most while it is taken; most stand nearly still."""
    noise: float = Field(default=3.0, ge=0, le=255)
    """Largest noise in good light, as a standard deviation in 1/255; dark parts and dim light have more."""
    exposure_stops: float = Field(default=1.2, ge=0, le=10)
    """How many stops a picture is too dark at most; it is too bright by a third of that at most."""
    white_balance: float = Field(default=0.07, ge=0, le=1)
    """How far, as a standard deviation of the logarithm, each channel is off."""
    sharpening: float = Field(default=1.0, ge=0, le=10)
    """Largest sharpening by the camera: the share of the fine detail that is added again."""
    least_resolution: float = Field(default=0.4, ge=0.05, le=1)
    """Pixels of the coarsest camera per pixel of the picture."""
    least_jpeg_quality: int = Field(default=40, ge=1, le=100)
    """Worst quality of a JPEG; the best is that of `RenderSettings`."""

    @classmethod
    def without_flaws(cls, **chosen: object) -> "Realism":
        """Return a look whose camera is perfect, and nothing but the hand and its arm is in the picture."""
        perfect: dict[str, object] = dict.fromkeys(
            ("jewellery", "held", "occluded", "second_hand", "shadow", "defocus_px", "blur_px"), 0
        )
        perfect |= dict.fromkeys(("motion_px", "noise", "exposure_stops", "white_balance", "sharpening"), 0)
        return cls.model_validate(perfect | {"least_resolution": 1, "least_jpeg_quality": 100} | chosen)
