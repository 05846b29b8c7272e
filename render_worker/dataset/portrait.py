"""A portrait: a known hand with skin, lit and photographed, for data sets of our own."""

import io
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import cv2
import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from render_worker.dataset.body import ARM, CLOTH, HAND, OTHER_HAND, THING, Body, Other, pose_body
from render_worker.dataset.forearm import choose_arm
from render_worker.dataset.held import find_thing
from render_worker.dataset.occluder import choose_occluder
from render_worker.dataset.realism import Realism
from render_worker.dataset.room_light import choose_room_light
from render_worker.dataset.skin import (
    adorn,
    fresnel,
    paint_skin,
    patches,
    softened,
    specular,
)
from render_worker.dataset.things import Thing
from render_worker.picture.background import choose_background
from render_worker.picture.camera import hand_box
from render_worker.picture.camera_traces import CameraTraces, cast_shadow
from render_worker.picture.composite import composite, encode_jpeg
from render_worker.picture.exposure import expose
from render_worker.picture.light import Lighting, choose_plain_light
from render_worker.picture.request import HandLayer, RenderRequest
from render_worker.picture.skin_tone import choose_tone, seen_colour
from render_worker.requests import RenderContext
from shared.colour import srgb_to_linear
from shared.freihand import LabelledHand
from shared.seeds import rng_of, seed_of
from shared.twins.sample import BackgroundCrop, Light

_MASK_QUALITY: Final = 95
_TINT: Final = 0.15
"""How far, in powers, a hand's hue follows that of its background; 1 would make them equal."""
_SHARPNESS: Final = (10.0, 30.0)
_NAIL_SHARPNESS: Final = 80.0


class Portrait(NamedTuple):
    """A finished picture and the silhouette of its hand, both as JPEG."""

    jpeg: bytes
    mask_jpeg: bytes


class TakenPicture(NamedTuple):
    """A picture before it is compressed, and what is known about it.

    Attributes:
        pixels: sRGB.
        mask: Coverage by the visible hand; 255 is all hand.
        jpeg_quality: Of the JPEG that the camera makes.
        halves_colour: Whether that has colour at half the resolution.
        background: What is behind the hand.
        skin_rgb: Mean colour of the hand, sRGB in [0, 1].
        lamp: What throws shadows.
    """

    pixels: UInt8[np.ndarray, "height width 3"]
    mask: UInt8[np.ndarray, "height width"]
    jpeg_quality: int
    halves_colour: bool
    background: BackgroundCrop
    skin_rgb: tuple[float, float, float]
    lamp: Light

    def jpeg(self) -> bytes:
        """Return the picture as the camera stores it."""
        return encode_jpeg(self.pixels, quality=self.jpeg_quality, halves_colour=self.halves_colour)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PortraitRequest:
    """One labelled hand to photograph.

    Attributes:
        hand: Its labels; the picture has the size that its camera says.
        seed: Of the whole set; with the number of the hand it decides every random choice.
        realism: What the picture shows besides the hand.
        other: Labels of the hand that becomes the second one; None leaves it out.
        film: Number of the film that it is a frame of: frames look alike but for the noise of the camera.
    """

    hand: LabelledHand
    seed: int
    realism: Realism
    other: LabelledHand | None = None
    film: int | None = None

    @property
    def sample_id(self) -> str:
        """Name of the picture."""
        return f"{self.hand.index:08d}"

    def render(self, context: RenderContext) -> Portrait:
        """Photograph the hand, and compress the picture.

        Raises:
            RenderError: The hand cannot be seen.
        """
        taken = self.take(context)
        return Portrait(jpeg=taken.jpeg(), mask_jpeg=_grey_jpeg(taken.mask))

    def take(self, context: RenderContext) -> TakenPicture:
        """Photograph the hand: its own skin, the room's light, and a camera that is not perfect.

        Raises:
            RenderError: The hand cannot be seen.
        """
        camera, realism = self.hand.camera, self.realism
        seed = self._seed
        layer, tone, lamp = self.draw(context)
        background = choose_background(
            context.photographs, rng_of(seed, "background"), image_px=camera.width_px
        )
        rng = rng_of(seed, "camera")
        behind = _blurred(background.pixels, float(rng.uniform(0, 1) ** 3 * realism.defocus_px))
        colour = seen_colour(tone, rng, background_rgb=background.mean_rgb)
        layer = replace(layer, rgba=expose(_tinted(layer.rgba, background.mean_rgb), colour))
        if rng.random() < realism.shadow:
            behind = _shadowed(behind, layer, rng)
        traces = choose_traces(realism, rng)
        noise_rng = rng if self.film is None else rng_of(seed, "frame", self.hand.index)
        picture = traces.leave(composite(layer, behind).pixels, noise_rng)
        best = context.settings.jpeg_quality
        return TakenPicture(
            pixels=picture,
            mask=silhouette(layer, behind.shape[:2]),
            jpeg_quality=int(rng.integers(min(realism.least_jpeg_quality, best), best + 1)),
            halves_colour=realism.least_jpeg_quality < best and bool(rng.random() < 0.7),
            background=background.crop,
            skin_rgb=colour,
            lamp=lamp,
        )

    def draw(self, context: RenderContext) -> tuple[HandLayer, tuple[float, float, float], Light]:
        """Render what stands before the background.

        Returns:
            What was rendered, not yet exposed; the tone of its skin in sRGB; and its lamp.

        Raises:
            RenderError: The hand cannot be seen.
        """
        hand, camera, realism = self.hand, self.hand.camera, self.realism
        hand_box(hand.verts_m, camera, width_px=camera.width_px, height_px=camera.height_px)
        seed = self._seed
        other = self.other
        figure = pose_body(
            context.mesh,
            hand.verts_m,
            hand.joints_m,
            arm=choose_arm(rng_of(seed, "arm")) if realism.forearm else None,
            thing=choose_thing(context, hand, realism, rng_of(seed, "thing")) if self.film is None else None,
            other=None if other is None else Other(other.verts_m, other.joints_m, rng_of(seed, "other")),
        )
        rng = rng_of(seed, "skin")
        tone = choose_tone(rng)
        asked = _lit(self, figure, _colours(figure, tone, rng, realism), seed)
        assert asked.light is not None, "what is drawn before a background is lit"
        return context.scene.render(asked), tone, asked.light

    @property
    def _seed(self) -> int:
        return seed_of(self.seed, "portrait", self.hand.index if self.film is None else self.film)


def choose_thing(
    context: RenderContext, hand: LabelledHand, realism: Realism, rng: np.random.Generator
) -> Thing | None:
    """Return what the hand holds, or what hides a part of it."""
    if rng.random() < realism.held:
        held = find_thing(hand.verts_m, context.mesh.open_faces, hand.joints_m, hand.camera, rng)
        if held is not None:
            return held
    return choose_occluder(hand.verts_m, hand.joints_m, rng) if rng.random() < realism.occluded else None


def choose_traces(realism: Realism, rng: np.random.Generator) -> CameraTraces:
    """Return a camera: most take good pictures, few leave every trace."""
    most = realism.exposure_stops
    stops = float(np.clip(rng.normal(-0.1 * most, 0.35 * most), -most, most / 3))
    cast = np.exp(rng.normal(0, realism.white_balance, 3))
    red, green, blue = (float(gain) for gain in 2**stops * cast / cast.mean())
    angle, length_px = rng.uniform(0, 2 * np.pi), realism.motion_px * rng.uniform() ** 3
    return CameraTraces(
        gains=(red, green, blue),
        blur_px=float(rng.uniform(0, realism.blur_px)),
        motion_px=(float(length_px * np.cos(angle)), float(length_px * np.sin(angle))),
        resolution=float(1 - (1 - realism.least_resolution) * max(0.0, rng.uniform(-1, 1))),
        noise=float(realism.noise * rng.uniform(0.3, 1.0) ** 2),
        grain_px=float(max(0.0, rng.uniform(-0.8, 0.7))),
        sharpening=float(realism.sharpening * max(0.0, rng.uniform(-0.7, 1))),
    )


def _shadowed(
    behind: UInt8[np.ndarray, "height width 3"], layer: HandLayer, rng: np.random.Generator
) -> UInt8[np.ndarray, "height width 3"]:
    """Return the background with a shadow of everything before it, on a side of the lamp's choice."""
    coverage = np.zeros(behind.shape[:2], np.float32)
    coverage[layer.box.rows, layer.box.columns] = layer.rgba[..., 3]
    angle, far_px = rng.uniform(0, 2 * np.pi), rng.uniform(3, 40)
    return cast_shadow(
        behind,
        coverage,
        offset_px=(float(far_px * np.cos(angle)), float(far_px * np.sin(angle))),
        blur_px=float(1 + far_px * rng.uniform(0.08, 0.5)),
        strength=float(rng.uniform(0.2, 0.75)),
    )


def _colours(
    figure: Body, tone: tuple[float, float, float], rng: np.random.Generator, realism: Realism
) -> Float32[np.ndarray, "verts 3"]:
    """Return the scene-linear colour of every vertex."""
    skin = paint_skin(figure.skin_map, tone=tone, rng=rng, has_detail=realism.skin_detail)
    pattern = 1 + 0.15 * patches(figure.skin_map.place_m, rng)[:, None]
    skin = adorn(skin, figure.skin_map, rng, share=realism.jewellery)
    cloth, thing = (srgb_to_linear(some_colour(rng)) * pattern for _ in range(2))
    weights = figure.parts
    mixed = weights[:, [HAND, ARM, OTHER_HAND]].sum(axis=1)[:, None] * skin
    mixed = mixed + weights[:, [CLOTH]] * cloth + weights[:, [THING]] * thing
    colours: Float32[np.ndarray, "verts 3"] = np.clip(mixed, 0, 0.95).astype(np.float32)
    return colours


def some_colour(rng: np.random.Generator) -> Float32[np.ndarray, " 3"]:
    """Return the sRGB colour of a piece of clothing or a thing: any brightness, seldom gaudy."""
    colour: Float32[np.ndarray, " 3"] = np.clip(
        rng.uniform(0.05, 0.9) * (1 + rng.normal(0, 0.25, 3)), 0.02, 0.95
    )
    return colour


def _lit(
    request: PortraitRequest, figure: Body, colours: Float32[np.ndarray, "verts 3"], seed: int
) -> RenderRequest:
    """Return what to render: what is multiplied with the lamp's light, and what all other light adds."""
    realism, camera, rng = request.realism, request.hand.camera, rng_of(seed, "light")
    light = _lighting(realism, rng)
    white = light.around(figure.normals)
    to_camera = -figure.verts_m / np.linalg.norm(figure.verts_m, axis=1, keepdims=True)
    key, glow = colours, colours * white * softened(figure.visible)
    if realism.skin_detail:
        nail = figure.skin_map.nail
        is_skin = figure.parts[:, [HAND, ARM, OTHER_HAND]].sum(axis=1)
        sharpness = rng.uniform(*_SHARPNESS) * (1 - nail) + _NAIL_SHARPNESS * nail
        shine = specular(figure.normals, to_camera, np.array(light.lamp.direction), sharpness=sharpness)
        key = key + (rng.uniform(0.2, 0.9) * is_skin * shine)[:, None]
        reflected = fresnel(figure.normals, to_camera) * is_skin * figure.visible
        glow = glow + reflected[:, None] * white
    return RenderRequest(
        verts_m=figure.verts_m,
        camera=camera,
        width_px=camera.width_px,
        height_px=camera.height_px,
        albedo=(key * light.lamp_rgb).astype(np.float32),
        light=light.lamp,
        seed=seed_of(seed, "noise"),
        mesh=figure.mesh,
        glow=glow.astype(np.float32),
        marked=(figure.parts[:, HAND] == 1).astype(np.float32),
    )


def _lighting(realism: Realism, rng: np.random.Generator) -> Lighting:
    return choose_room_light(rng) if realism.room_light else choose_plain_light(rng)


def _tinted(
    rgba: Float32[np.ndarray, "rows columns 4"], background_rgb: tuple[float, float, float]
) -> Float32[np.ndarray, "rows columns 4"]:
    """Return a layer in light that has a little of the hue of its background."""
    light = srgb_to_linear(np.array(background_rgb)) + 0.02
    tint = np.append((light / light.mean()) ** _TINT, 1.0).astype(np.float32)
    tinted: Float32[np.ndarray, "rows columns 4"] = rgba * tint
    return tinted


def silhouette(layer: HandLayer, shape: tuple[int, ...]) -> UInt8[np.ndarray, "height width"]:
    """Return the coverage of the whole picture by the visible hand; 255 is all hand."""
    assert layer.marked is not None, "portraits mark their hand"
    mask = np.zeros(shape, dtype=np.uint8)
    mask[layer.box.rows, layer.box.columns] = np.rint(255 * layer.marked.clip(0, 1))
    return mask


def _blurred(
    pixels: UInt8[np.ndarray, "height width 3"], sigma_px: float
) -> UInt8[np.ndarray, "height width 3"]:
    """Return a photograph out of focus, found at fewer pixels where the blur is wide, which is faster."""
    if sigma_px < 0.3:
        return pixels
    coarseness = max(1, int(sigma_px / 3))
    height, width = pixels.shape[:2]
    size = (max(8, width // coarseness), max(8, height // coarseness))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if coarseness > 1 else pixels
    soft = cv2.GaussianBlur(small, (0, 0), sigma_px / coarseness, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _grey_jpeg(mask: UInt8[np.ndarray, "height width"]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "JPEG", quality=_MASK_QUALITY)
    return file.getvalue()
