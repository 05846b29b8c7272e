"""How far a picture is from what it would become with ever more samples."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from render_worker.picture.request import HandLayer, RenderRequest, Scene
from shared.colour import linear_to_srgb

CONVERGED_SAMPLES = 1024


class QualityPoint(NamedTuple):
    """One point of the curve of quality against time.

    Attributes:
        samples: Samples per pixel.
        psnr_db: Peak signal-to-noise ratio in the hand's region, against `CONVERGED_SAMPLES`.
        render_ms: Median time of Blender for a picture, read-back included.
    """

    samples: int
    psnr_db: float
    render_ms: float


def hand_psnr_db(pictures: Sequence[HandLayer], converged: Sequence[HandLayer]) -> float:
    """Return the PSNR, over all pixels that the hands cover at least half, of sRGB values in [0, 1].

    Behind the hands is black, so that a wrong edge counts as much as it can.
    """
    squares = [
        (((_seen(picture.rgba) - _seen(best.rgba)) ** 2).mean(axis=-1))[best.rgba[..., 3] >= 0.5]
        for picture, best in zip(pictures, converged, strict=True)
    ]
    return float(-10 * np.log10(np.concatenate(squares).mean()))


def render_all(scene: Scene, requests: Sequence[RenderRequest]) -> list[HandLayer]:
    """Render requests one after the other."""
    return [scene.render(request) for request in requests]


def _seen(rgba: Float32[np.ndarray, "rows columns 4"]) -> Float32[np.ndarray, "rows columns 3"]:
    seen: Float32[np.ndarray, "rows columns 3"] = linear_to_srgb(rgba[..., :3])
    return seen
