"""A portrait: a known hand with skin, lit and photographed, for data sets of our own."""

import io
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageFilter

from render_worker.backdrop import choose_backdrop
from render_worker.composite import composite, encode_jpeg
from render_worker.exposure import expose
from render_worker.picture import DrawRequest
from render_worker.placement import choose_light
from render_worker.skin import choose_tone, paint_skin
from render_worker.worker import Studio
from shared.freihand import LabelledHand
from shared.seeds import rng_of, seed_of

_MASK_QUALITY = 95


class Portrait(NamedTuple):
    """A finished picture and the silhouette of its hand, both as JPEG."""

    jpeg: bytes
    mask_jpeg: bytes


@dataclass(frozen=True, slots=True, eq=False)
class PortraitRequest:
    """One labelled hand to photograph.

    Attributes:
        hand: Its labels; the picture has the size that its camera says.
        seed: Of the whole set; with the number of the hand it decides every random choice.
    """

    hand: LabelledHand
    seed: int

    @property
    def sample_id(self) -> str:
        """Name of the picture."""
        return f"{self.hand.index:08d}"

    def draw(self, studio: Studio) -> Portrait:
        """Photograph the hand: its own skin, the room's light, and a camera that is not perfect.

        Raises:
            RenderError: The hand cannot be seen.
        """
        hand, camera = self.hand, self.hand.camera
        seed = seed_of(self.seed, "portrait", hand.index)
        rng = rng_of(seed, "skin")
        tone = choose_tone(rng)
        normals, _ = studio.mesh.normals(studio.mesh.with_cap(hand.verts_m))
        skin = paint_skin(hand.verts_m, normals[: len(hand.verts_m)], hand.joints_m, tone=tone, rng=rng)
        layer = studio.scene.draw(
            DrawRequest(
                verts_m=hand.verts_m,
                camera=camera,
                width_px=camera.width_px,
                height_px=camera.height_px,
                albedo=skin,
                light=choose_light(rng_of(seed, "light")),
                seed=seed_of(seed, "noise"),
            )
        )
        backdrop = choose_backdrop(studio.photographs, rng_of(seed, "background"), image_px=camera.width_px)
        brightness = rng.uniform(0.75, 1.05)
        red, green, blue = (min(1.0, brightness * value) for value in tone)
        picture = composite(replace(layer, rgba=expose(layer.rgba, (red, green, blue))), backdrop.pixels)
        pixels = _photographed(picture.pixels, rng_of(seed, "camera"))
        return Portrait(
            jpeg=encode_jpeg(pixels, quality=studio.settings.jpeg_quality),
            mask_jpeg=_grey_jpeg(picture.mask),
        )


def _photographed(
    pixels: UInt8[np.ndarray, "height width 3"], rng: np.random.Generator
) -> UInt8[np.ndarray, "height width 3"]:
    """Return the picture with the slight blur of a lens and the noise of a sensor."""
    blurred = Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(float(rng.uniform(0.0, 0.6))))
    noise = rng.normal(0.0, rng.uniform(0.5, 3.0), pixels.shape)
    return np.clip(np.rint(np.asarray(blurred) + noise), 0, 255).astype(np.uint8)


def _grey_jpeg(mask: UInt8[np.ndarray, "height width"]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "JPEG", quality=_MASK_QUALITY)
    return file.getvalue()
