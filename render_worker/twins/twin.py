"""A twin: a predicted hand in the colour of its background, on that background (paper, Sec. 3.1).

Or another one, where the settings ask for it: see `render_worker.twins.lifelike`.
"""

import io
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float32

from render_worker.dataset.portrait import TakenPicture
from render_worker.picture.background import choose_background
from render_worker.picture.composite import composite, encode_png
from render_worker.picture.exposure import expose
from render_worker.picture.light import choose_light
from render_worker.picture.request import HandLayer, RenderRequest
from render_worker.picture.skin_tone import choose_tone, seen_colour
from render_worker.requests import RenderContext
from render_worker.twins.lifelike import PaperLook, choose_cover, draw_covered, take_portrait
from render_worker.twins.pinhole import before_pinhole
from render_worker.twins.varied import VariedHand, vary
from shared.colour import srgb_to_linear
from shared.errors import ConfigError, RenderError
from shared.freihand import LabelledHand
from shared.import_path import load_by_path
from shared.seeds import rng_of, seed_of
from shared.twins.sample import Light, SyntheticLabels, SyntheticSample
from shared.twins.variation import AS_PREDICTED, Variation
from shared.types import Camera

BLACK: Final = (0.0, 0.0, 0.0)


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
        other: Vertices and joints of another prediction, for a second hand.
    """

    sample_id: str
    verts_m: Float32[np.ndarray, "verts 3"]
    joints_m: Float32[np.ndarray, "21 3"]
    camera: Camera
    image_px: int
    round_index: int
    run_seed: int
    variation: Variation = AS_PREDICTED
    other: tuple[Float32[np.ndarray, "verts 3"], Float32[np.ndarray, "21 3"]] | None = None

    def render(self, context: RenderContext) -> SyntheticSample:
        """Render the hand, expose it to its mean colour, and lay it on the background; or photograph it.

        Raises:
            RenderError: The hand cannot be seen.
        """
        if not (np.isfinite(self.joints_m).all() and np.isfinite(self.verts_m).all()):
            raise RenderError("expected a hand in finite numbers, found NaN or infinity")
        seed = seed_of(self.run_seed, "round", self.round_index, self.sample_id)
        hand = vary(self.verts_m, self.joints_m, self.variation, seed=seed, rig=context.mesh.rig)
        cover = choose_cover(self.variation.occluded, rng_of(seed, "cover"))
        camera = self.camera
        if context.settings.realism == "paper" and cover is None:
            taken = self._plain(context, hand, seed)
        else:
            posed, second = self._before_pinhole(hand), self._second()
            hand, camera = hand._replace(verts_m=posed.verts_m, joints_m=posed.joints_m), posed.camera
            if context.settings.realism == "portrait":
                taken = take_portrait(context, posed, cover=cover, second=second, seed=seed)
            else:
                taken = draw_covered(context, posed, self._look(context, seed), cover, second, seed)
        labels = SyntheticLabels(
            sample_id=self.sample_id,
            round_index=self.round_index,
            joints_m=tuple((float(x), float(y), float(z)) for x, y, z in hand.joints_m),
            camera=camera,
            image_px=self.image_px,
            skin_rgb=taken.skin_rgb,
            background=taken.background,
            light=taken.lamp,
            seed=seed,
            turn=hand.turn,
        )
        return SyntheticSample(
            jpeg=taken.jpeg(),
            mask_png=encode_png(taken.mask),
            verts_m=hand.verts_m,
            labels=labels,
            extras=_extras(context, self._asked(hand, camera, BLACK, labels.light, seed)),
        )

    def _plain(self, context: RenderContext, hand: VariedHand, seed: int) -> TakenPicture:
        """Draw the hand in one colour, and nothing else."""
        look = self._look(context, seed)
        red, green, blue = (float(value) for value in srgb_to_linear(np.array(look.colour_rgb)))
        layer = context.scene.render(self._asked(hand, self.camera, (red, green, blue), look.light, seed))
        exposed = HandLayer(expose(layer.rgba, look.colour_rgb), layer.box)
        picture = composite(exposed, look.background.pixels)
        return TakenPicture(
            pixels=picture.pixels,
            mask=picture.mask,
            jpeg_quality=context.settings.jpeg_quality,
            halves_colour=False,
            background=look.background.crop,
            skin_rgb=look.colour_rgb,
            lamp=look.light,
        )

    def _look(self, context: RenderContext, seed: int) -> PaperLook:
        """Choose a background, the colour of the hand on it, and a light."""
        background = choose_background(
            context.photographs, rng_of(seed, "background"), image_px=self.image_px
        )
        colour_rgb = background.mean_rgb
        if context.settings.hand_colour == "skin":
            rng = rng_of(seed, "skin")
            colour_rgb = seen_colour(choose_tone(rng), rng, background_rgb=background.mean_rgb)
        return PaperLook(background, colour_rgb, _lit(context.settings.light, rng_of(seed, "light")))

    def _asked(
        self,
        hand: VariedHand,
        camera: Camera,
        albedo: tuple[float, float, float],
        light: Light,
        seed: int,
    ) -> RenderRequest:
        """Return what to ask Blender for: the hand alone."""
        return RenderRequest(
            verts_m=hand.verts_m,
            camera=camera,
            width_px=self.image_px,
            height_px=self.image_px,
            albedo=albedo,
            light=light,
            seed=seed_of(seed, "noise"),
        )

    def _before_pinhole(self, hand: VariedHand) -> LabelledHand:
        return before_pinhole(hand.verts_m, hand.joints_m, self.camera, image_px=self.image_px)

    def _second(self) -> LabelledHand | None:
        """Return another hand, as it was predicted, if there is one in finite numbers."""
        other = self.other
        if other is None or not all(np.isfinite(points_m).all() for points_m in other):
            return None
        return before_pinhole(*other, self.camera, image_px=self.image_px)


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
