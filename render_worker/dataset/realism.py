"""How made-up photographs look: what `meshcycle make-dataset` may be asked for."""

from pydantic import Field, NonNegativeFloat

from shared.records import Section


class Realism(Section):
    """What makes a render pass for a photograph. Labels do not depend on it, and masks show the visible hand.

    On by default is what photographs of hands have; an object before the hand is something else.
    """

    forearm: bool = True
    """Go on beyond the wrist, with a bare arm or a sleeve, instead of ending in a cut."""
    room_light: bool = True
    """Light from the panoramas that come with Blender, instead of a white lamp under a plain sky."""
    skin_detail: bool = True
    """Creases, nails, and sheen, instead of broad patches alone."""
    occluded: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share of the pictures in which an object hides a part of the hand."""
    defocus_px: NonNegativeFloat = 30.0
    """Largest blur of the background, as a standard deviation: hands are photographed from near. Some stay
    sharp, and some become as plain as a wall, which is strange to a network that has seen places alone
    (EXPERIMENTS.md)."""
    blur_px: NonNegativeFloat = 0.6
    """Largest blur of the picture, as a standard deviation."""
    noise: NonNegativeFloat = 3.0
    """Largest noise of the sensor, as a standard deviation in 1/255."""
