"""A hand that can be drawn anywhere: what tells a device that fails from a request that cannot be drawn."""

from typing import Final

from render_worker.picture.light import choose_light
from render_worker.picture.mesh import OpenHand
from render_worker.picture.request import RenderRequest
from shared.seeds import rng_of
from shared.types import WeakPerspective

_SIDE_PX: Final = 32


def probe_of(hand: OpenHand) -> RenderRequest:
    """Return the request for a small picture with the hand model's own pose in the middle."""
    return RenderRequest(
        verts_m=hand.verts_m - hand.verts_m.mean(axis=0),
        camera=WeakPerspective(scale=8.0, tx_m=0.0, ty_m=0.0),
        width_px=_SIDE_PX,
        height_px=_SIDE_PX,
        albedo=(0.5, 0.4, 0.3),
        light=choose_light(rng_of(0, "light")),
        seed=0,
    )
