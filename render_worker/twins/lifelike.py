"""Twins of more than a plain hand: portraits as `make-dataset` takes them, and partly hidden hands."""

from typing import Final, Literal, NamedTuple

import numpy as np
from jaxtyping import Float32

from render_worker.dataset.body import HAND, OTHER_HAND, THING, Other, pose_body
from render_worker.dataset.portrait import (
    PortraitRequest,
    TakenPicture,
    choose_thing,
    silhouette,
    some_colour,
)
from render_worker.dataset.realism import Realism
from render_worker.picture.background import Background
from render_worker.picture.composite import composite
from render_worker.picture.exposure import expose
from render_worker.picture.request import HandLayer, RenderRequest
from render_worker.requests import RenderContext
from shared.colour import srgb_to_linear
from shared.freihand import LabelledHand
from shared.seeds import rng_of, seed_of
from shared.twins.sample import Light


class PaperLook(NamedTuple):
    """What a hand in one colour looks like.

    Attributes:
        background: What is behind it.
        colour_rgb: Its mean colour, sRGB in [0, 1].
        light: What it is lit with.
    """

    background: Background
    colour_rgb: tuple[float, float, float]
    light: Light


type Cover = Literal["held", "occluded", "second_hand"]
"""What hides a part of a hand: a thing that it touches or holds, one before it, or a left hand."""

COVERS: Final[tuple[Cover, ...]] = ("held", "occluded", "second_hand")


def choose_cover(share: float, rng: np.random.Generator) -> Cover | None:
    """Return what hides a part of a hand; each kind is as frequent."""
    if rng.random() >= share:
        return None
    return COVERS[rng.integers(len(COVERS))]


def _realism(cover: Cover | None) -> Realism:
    """Return a look with one cover, or none; where nothing fits into a hand, something is before it."""
    return Realism.model_validate(
        {
            "held": float(cover == "held"),
            "occluded": float(cover in ("held", "occluded")),
            "second_hand": float(cover == "second_hand"),
        }
    )


def take_portrait(
    context: RenderContext,
    hand: LabelledHand,
    *,
    cover: Cover | None,
    second: LabelledHand | None,
    seed: int,
) -> TakenPicture:
    """Photograph a hand with skin, a forearm, light of a room, and a camera that is not perfect.

    Args:
        context: Scene and backgrounds.
        hand: In front of a pinhole camera.
        cover: What hides a part of it.
        second: Is mirrored for a second hand.
        seed: Of the picture.

    Raises:
        RenderError: The hand cannot be seen.
    """
    other = second if cover == "second_hand" else None
    return PortraitRequest(hand=hand, seed=seed, realism=_realism(cover), other=other).take(context)


def draw_covered(
    context: RenderContext,
    hand: LabelledHand,
    look: PaperLook,
    cover: Cover | None,
    second: LabelledHand | None,
    seed: int,
) -> TakenPicture:
    """Draw a hand in one colour that is partly hidden; a second hand has the same colour.

    Args:
        context: Scene.
        hand: In front of a pinhole camera.
        look: Its background, colour and light.
        cover: What hides a part of it.
        second: Is mirrored for a second hand.
        seed: Of the picture.

    Raises:
        RenderError: The hand cannot be seen.
    """
    other = second if cover == "second_hand" else None
    light = look.light
    figure = pose_body(
        context.mesh,
        hand.verts_m,
        hand.joints_m,
        arm=None,
        thing=choose_thing(context, hand, _realism(cover), rng_of(seed, "thing")),
        other=None if other is None else Other(other.verts_m, other.joints_m, rng_of(seed, "second")),
    )
    skin = srgb_to_linear(np.array(look.colour_rgb))
    thing = srgb_to_linear(some_colour(rng_of(seed, "thing colour")))
    is_skin = figure.parts[:, [HAND, OTHER_HAND]].sum(axis=1, keepdims=True)
    colours: Float32[np.ndarray, "verts 3"] = is_skin * skin + figure.parts[:, [THING]] * thing
    size_px = hand.camera.width_px
    layer = context.scene.render(
        RenderRequest(
            verts_m=figure.verts_m,
            camera=hand.camera,
            width_px=size_px,
            height_px=size_px,
            albedo=colours.astype(np.float32),
            light=light,
            seed=seed_of(seed, "noise"),
            mesh=figure.mesh,
            glow=(light.fill * figure.visible[:, None] * colours).astype(np.float32),
            marked=(figure.parts[:, HAND] == 1).astype(np.float32),
        )
    )
    exposed = HandLayer(expose(layer.rgba, look.colour_rgb, of=layer.marked), layer.box)
    return TakenPicture(
        pixels=composite(exposed, look.background.pixels).pixels,
        mask=silhouette(layer, (size_px, size_px)),
        jpeg_quality=context.settings.jpeg_quality,
        halves_colour=False,
        background=look.background.crop,
        skin_rgb=look.colour_rgb,
        lamp=light,
    )
