"""What a hand is lit with: a lamp that throws shadows, and light from everywhere else.

Every kind of light is a file with a `Lighting` in it. Here is the plain one, a white lamp under a plain sky;
`render_worker.dataset.room_light` takes both from a panorama. A `shared.twins.sample.Light` stores the lamp.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from jaxtyping import Float32

from shared.twins.sample import Light


class Lighting(Protocol):
    """The light of one picture."""

    @property
    def lamp(self) -> Light:
        """Direction, size and strength of the lamp."""
        ...

    @property
    def lamp_rgb(self) -> Float32[np.ndarray, " 3"]:
        """What a white surface that faces the lamp sends out."""
        ...

    def around(self, normals: Float32[np.ndarray, "verts 3"]) -> Float32[np.ndarray, "verts 3"]:
        """Return what white surfaces send out because of all other light, if nothing hides it from them."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class PlainLight:
    """A white lamp, and a sky that is the same everywhere.

    Attributes:
        lamp: Direction, size and strength of the lamp, and strength of the sky.
    """

    lamp: Light

    @property
    def lamp_rgb(self) -> Float32[np.ndarray, " 3"]:
        """White."""
        return np.ones(3, np.float32)

    def around(self, normals: Float32[np.ndarray, "verts 3"]) -> Float32[np.ndarray, "verts 3"]:
        """Return the strength of the sky, whatever the normals."""
        return np.full((len(normals), 3), self.lamp.fill, np.float32)


def choose_plain_light(rng: np.random.Generator) -> PlainLight:
    """Return a random plain light."""
    return PlainLight(choose_light(rng))


def choose_light(rng: np.random.Generator) -> Light:
    """Return a light as it falls on a hand in a room: mostly from above, from the camera's side.

    The paper does not say how its hands were lit.
    """
    towards = np.array([rng.uniform(-0.9, 0.9), rng.uniform(-1.1, 0.3), -rng.uniform(0.5, 1.3)])
    x, y, z = (float(value) for value in towards / np.linalg.norm(towards))
    fill = float(rng.uniform(0.25, 0.5))
    return Light(direction=(x, y, z), angle_deg=float(rng.uniform(3.0, 12.0)), key=1.0 - fill, fill=fill)
