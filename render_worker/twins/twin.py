"""A twin: a predicted hand in the colour of its background, on that background (paper, Sec. 3.1).

Or in a colour of skin, where the settings ask for it.
"""

import io
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from render_worker.picture.background import choose_background
from render_worker.picture.composite import composite, encode_jpeg, encode_png
from render_worker.picture.exposure import expose
from render_worker.picture.light import choose_light
from render_worker.picture.request import HandLayer, RenderRequest
from render_worker.picture.skin_tone import choose_tone, seen_colour
from render_worker.requests import RenderContext
from render_worker.twins.varied import vary
from shared.colour import srgb_to_linear
from shared.errors import ConfigError, RenderError
from shared.import_path import load_by_path
from shared.seeds import rng_of, seed_of
from shared.twins.sample import Light, SyntheticLabels, SyntheticSample
from shared.twins.variation import AS_PREDICTED, Variation
from shared.types import Camera


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TwinRequest:
    """One prediction to render.

    Attributes:
        sample_id: Name of the twin, after the photograph that was predicted.
        verts_m: Predicted vertices, camera axes.
        joints_m: Predicted joints, in the same frame.
        camera: Camera of the whole photograph, predicted or known.
        image_px: Side of the photograph, and of the twin.
        round_index: Round of the prediction; with the next one and the name it decides every random choice.
        run_seed: Seed of the run.
        variation: How the hand is varied before it is drawn.
    """

    sample_id: str
    verts_m: Float32[np.ndarray, "verts 3"]
    joints_m: Float32[np.ndarray, "21 3"]
    camera: Camera
    image_px: int
    round_index: int
    run_seed: int
    variation: Variation = AS_PREDICTED

    def render(self, context: RenderContext) -> SyntheticSample:
        """Render the hand, expose it to its mean colour, and lay it on the background.

        Raises:
            RenderError: The hand cannot be seen.
        """
        if not (np.isfinite(self.joints_m).all() and np.isfinite(self.verts_m).all()):
            raise RenderError("expected a hand in finite numbers, found NaN or infinity")
        seed = seed_of(self.run_seed, "round", self.round_index, self.sample_id)
        hand = vary(self.verts_m, self.joints_m, self.variation, seed=seed)
        background = choose_background(
            context.photographs, rng_of(seed, "background"), image_px=self.image_px
        )
        light = _lit(context.settings.light, rng_of(seed, "light"))
        colour_rgb = background.mean_rgb
        if context.settings.hand_colour == "skin":
            rng = rng_of(seed, "skin")
            colour_rgb = seen_colour(choose_tone(rng), rng, background_rgb=background.mean_rgb)
        red, green, blue = (float(value) for value in srgb_to_linear(np.array(colour_rgb)))
        asked = RenderRequest(
            verts_m=hand.verts_m,
            camera=self.camera,
            width_px=self.image_px,
            height_px=self.image_px,
            albedo=(red, green, blue),
            light=light,
            seed=seed_of(seed, "noise"),
        )
        layer = context.scene.render(asked)
        picture = composite(HandLayer(expose(layer.rgba, colour_rgb), layer.box), background.pixels)
        labels = SyntheticLabels(
            sample_id=self.sample_id,
            round_index=self.round_index,
            joints_m=tuple((float(x), float(y), float(z)) for x, y, z in hand.joints_m),
            camera=self.camera,
            image_px=self.image_px,
            skin_rgb=colour_rgb,
            background=background.crop,
            light=light,
            seed=seed,
            turn=hand.turn,
        )
        return SyntheticSample(
            jpeg=encode_jpeg(picture.pixels, quality=context.settings.jpeg_quality),
            mask_png=encode_png(picture.mask),
            verts_m=hand.verts_m,
            labels=labels,
            extras=_extras(context, asked),
        )


def _lit(own: str | None, rng: np.random.Generator) -> Light:
    """Choose a light, by a function of another package if there is one."""
    if own is None:
        return choose_light(rng)
    light = load_by_path(own, key="render.light")(rng)
    if not isinstance(light, Light):
        raise ConfigError(
            f"render.light: expected {own} to return a Light, found {type(light).__name__}.",
            remedy="Return shared.twins.sample.Light.",
        )
    return light


def _extras(context: RenderContext, asked: RenderRequest) -> dict[str, bytes]:
    """Return the further members that the settings ask for, of the whole picture."""
    wanted = context.settings.extras
    if not wanted:
        return {}
    geometry = context.scene.measure(asked)
    inside = (geometry.box.rows, geometry.box.columns)
    extras = {}
    if "depth" in wanted:
        depth_m = np.full((asked.height_px, asked.width_px), np.nan, dtype="<f4")
        depth_m[inside] = geometry.depth_m
        file = io.BytesIO()
        np.save(file, depth_m)
        extras["depth.npy"] = file.getvalue()
    if "normals" in wanted:
        colours = np.zeros((asked.height_px, asked.width_px, 3), dtype=np.uint8)
        colours[inside] = np.rint(127.5 * (np.nan_to_num(geometry.normals, nan=-1.0) + 1))
        extras["normals.png"] = encode_png(colours)
    return extras
