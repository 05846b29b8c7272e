"""What a camera of any kind leaves in the pictures that hands are found in."""

from typing import Final

import numpy as np

from render_worker.picture.camera_traces import CameraTraces
from shared.images import Rgb

_GREY_SHARE: Final = 0.05


def leave_traces(rgb: Rgb, rng: np.random.Generator) -> Rgb:
    """Return the picture as some camera takes it: most are good."""
    stops = float(np.clip(rng.normal(-0.1, 0.45), -1.6, 0.6))
    cast = np.exp(rng.normal(0, 0.08, 3))
    red, green, blue = (float(gain) for gain in 2**stops * cast / cast.mean())
    angle, length_px = rng.uniform(0, 2 * np.pi), 7 * rng.uniform() ** 3
    camera = CameraTraces(
        gains=(red, green, blue),
        blur_px=float(1.3 * rng.uniform() ** 2),
        motion_px=(float(length_px * np.cos(angle)), float(length_px * np.sin(angle))),
        resolution=float(1 - 0.6 * max(0.0, rng.uniform(-1, 1))),
        noise=float(4 * rng.uniform(0.2, 1.0) ** 2),
        grain_px=float(max(0.0, rng.uniform(-0.8, 0.9))),
        sharpening=float(max(0.0, rng.uniform(-0.7, 1))),
    )
    seen = camera.leave(rgb, rng)
    if rng.random() < _GREY_SHARE:
        seen = np.repeat(np.rint(seen.mean(axis=2, keepdims=True)).astype(np.uint8), 3, axis=2)
    return seen
