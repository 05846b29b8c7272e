"""A light: a small lamp beside the camera, as a phone has it."""

import numpy as np

from shared.twins.sample import Light


def phone_lamp(rng: np.random.Generator) -> Light:
    """Return a light; everything random comes from the generator, so that a picture follows from its seed."""
    towards = np.array([rng.uniform(-0.15, 0.15), rng.uniform(-0.15, 0.15), -1.0])
    x, y, z = (float(value) for value in towards / np.linalg.norm(towards))
    return Light(direction=(x, y, z), angle_deg=1.5, key=0.85, fill=0.15)
