"""Crops about a hand instead of the picture's middle: its box with a margin, turned upright or not."""

import math

import numpy as np
from jaxtyping import Float

from shared.skeleton import FINGERS, WRIST
from trainer.config.sections import AugmentConfig
from trainer.data.augment import Warp, clipped_normal, random_warp

_MIDDLE_KNUCKLE = FINGERS["middle"][0]
_UP_RAD = -math.pi / 2
_LEAST_SIDE_NDC = 1e-3


def box_warp(
    joints_ndc: Float[np.ndarray, "joints 2"],
    *,
    margin: float,
    rotation_rad: float = 0.0,
    shift_ndc: tuple[float, float] = (0.0, 0.0),
) -> Warp:
    """Return the crop whose middle is that of the joints' box.

    Args:
        joints_ndc: Of the photograph.
        margin: Side of the crop, in longer sides of the box, which is that of the turned hand.
        rotation_rad: How far the picture is turned first.
        shift_ndc: Where the box's middle appears in the crop.
    """
    turned = Warp(1.0, rotation_rad).points_ndc(joints_ndc).astype(np.float64)
    low, high = turned.min(axis=0), turned.max(axis=0)
    magnification = 2 / (margin * max(float((high - low).max()), _LEAST_SIDE_NDC))
    right, down = (np.array(shift_ndc) - magnification * (low + high) / 2).tolist()
    return Warp(magnification, rotation_rad, (right, down))


def random_box_warp(
    config: AugmentConfig,
    rng: np.random.Generator,
    joints_ndc: Float[np.ndarray, "joints 2"],
    *,
    margin: float,
) -> Warp:
    """Sample a crop about a hand: upright and tight, or turned, scaled and shifted as centre crops are."""
    if rng.random() >= config.upright_share:
        free = random_warp(config, rng, magnification=1.0)
        return box_warp(
            joints_ndc,
            margin=margin / free.magnification,
            rotation_rad=free.rotation_rad,
            shift_ndc=free.shift_ndc,
        )
    jitter_rad = math.radians(clipped_normal(rng, sd=config.upright_sd_deg))
    right, down = rng.uniform(-config.shift_ndc, config.shift_ndc, size=2).tolist()
    return box_warp(
        joints_ndc,
        margin=rng.uniform(*config.box_scale),
        rotation_rad=upright_turn(joints_ndc) + jitter_rad,
        shift_ndc=(right, down),
    )


def upright_turn(joints_ndc: Float[np.ndarray, "joints 2"]) -> float:
    """Return the rotation, in radians, after which the middle knuckle is right above the wrist."""
    x, y = (joints_ndc[_MIDDLE_KNUCKLE] - joints_ndc[WRIST]).tolist()
    return _UP_RAD - math.atan2(y, x)
