"""A portrait: a hand with exact labels, in a skin colour, before a background. For `meshcycle make-dataset`.

Unlike a twin it is not coloured by its background: a network that learns from portraits should know skin.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from render_worker.backdrop import Backdrop, choose_backdrop
from render_worker.composite import composite, encode_jpeg
from render_worker.exposure import expose
from render_worker.picture import DrawRequest, HandLayer
from render_worker.placement import choose_light
from render_worker.worker import Studio
from shared.colour import srgb_to_linear
from shared.freihand import LabelledHand
from shared.seeds import rng_of, seed_of

_SKIN_TONES: Final = np.array(
    [(0.90, 0.74, 0.65), (0.86, 0.67, 0.55), (0.76, 0.55, 0.42), (0.61, 0.41, 0.30), (0.41, 0.27, 0.20)]
)
"""From light to dark, sRGB as photographed in even light; mixtures of two neighbours are drawn."""

_TONE_JITTER: Final = 0.02
_USUAL_BRIGHTNESS: Final = 0.45
"""Mean sRGB value of a photograph in which skin looks as above."""


class Portrait(NamedTuple):
    """A picture of a hand, and its silhouette, encoded."""

    jpeg: bytes
    mask_jpeg: bytes


@dataclass(frozen=True, slots=True, eq=False)
class PortraitRequest:
    """One labelled hand to draw.

    Attributes:
        hand: Vertices and camera, and all other labels.
        seed: Source of background, light, and skin.
    """

    hand: LabelledHand
    seed: int

    @property
    def sample_id(self) -> str:
        """Name of the picture."""
        return f"{self.hand.index:08d}"

    def draw(self, studio: Studio) -> Portrait:
        """Draw the hand and lay it on a background.

        Raises:
            RenderError: The hand cannot be seen.
        """
        camera = self.hand.camera
        seed = seed_of(self.seed, "portrait", self.hand.index)
        backdrop = choose_backdrop(studio.photographs, rng_of(seed, "background"), image_px=camera.width_px)
        skin_rgb = _skin_colour(rng_of(seed, "skin"), backdrop)
        red, green, blue = (float(value) for value in srgb_to_linear(np.array(skin_rgb)))
        layer = studio.scene.draw(
            DrawRequest(
                verts_m=self.hand.verts_m,
                camera=camera,
                width_px=camera.width_px,
                height_px=camera.height_px,
                albedo=(red, green, blue),
                light=choose_light(rng_of(seed, "light")),
                seed=seed_of(seed, "noise"),
            )
        )
        picture = composite(HandLayer(expose(layer.rgba, skin_rgb), layer.box), backdrop.pixels)
        return Portrait(
            jpeg=encode_jpeg(picture.pixels, quality=studio.settings.jpeg_quality),
            mask_jpeg=encode_jpeg(np.repeat(picture.mask[..., None], 3, axis=2), quality=95),
        )


def _skin_colour(rng: np.random.Generator, backdrop: Backdrop) -> tuple[float, float, float]:
    """Return the colour of a skin as the camera that took the background would have shown it."""
    place = rng.uniform(0, len(_SKIN_TONES) - 1)
    lower = int(place)
    tone = _SKIN_TONES[lower] + (place - lower) * (_SKIN_TONES[lower + 1] - _SKIN_TONES[lower])
    tone = tone + rng.normal(scale=_TONE_JITTER, size=3)
    brightness = np.clip(np.mean(backdrop.mean_rgb) / _USUAL_BRIGHTNESS, 0.5, 1.3) ** 0.5
    red, green, blue = (float(value) for value in np.clip(tone * brightness, 0.02, 0.98))
    return red, green, blue
