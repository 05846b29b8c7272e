"""Light as it falls on a hand in a real room: one of Blender's panoramas, split into a lamp and the rest.

The brightest spot becomes the lamp, which throws shadows. Everything else is smooth enough for nine numbers
per colour (Ramamoorthi and Hanrahan, *An efficient representation for irradiance environment maps*, 2001).
"""

from dataclasses import dataclass, replace
from functools import cache
from typing import Final, Self

import numpy as np
from jaxtyping import Float, Float32
from scipy.ndimage import gaussian_filter

from render_worker.dataset.panoramas.files import panorama_files, read_hdr
from shared.twins.sample import Light

_SHRINK: Final = 8
_BLUR_PX: Final = 2.0
_CONE_DEG: Final = 18.0
"""Half the opening of what counts as one lamp."""
_LARGEST_AZIMUTH_RAD: Final = 1.9
"""The lamp is turned to the camera's half of the room: an unlit hand is thrown away by photographers."""
_MOST_CONTRAST: Final = 2.5
"""Lamp against the rest: a camera keeps less than the sun gives."""
_ANGLES_DEG: Final = (3.0, 25.0)
_SATURATION: Final = 0.4
"""Of the light: skies and sunsets shine on everything around the hand too, and come back less colourful."""
_BALANCED: Final = 0.9
"""How far, in powers, the camera's white balance takes the colour out of the light."""
_COSINE: Final = np.repeat([1.0, 2 / 3, 1 / 4], [1, 3, 5])
"""What a cosine leaves of each order, divided by pi."""


@dataclass(frozen=True, slots=True, eq=False)
class RoomLight:
    """The light of one panorama, seen from the camera.

    Attributes:
        lamp: Direction and size of the lamp.
        lamp_rgb: What a white surface that faces the lamp sends out.
        rest: Coefficients of the light from everywhere else, before it was turned.
        azimuth_rad: How far it was turned, from a lamp behind the camera to its right.
    """

    lamp: Light
    lamp_rgb: Float32[np.ndarray, " 3"]
    rest: Float32[np.ndarray, "9 3"]
    azimuth_rad: float = 0.0

    @classmethod
    def of(cls, panorama: Float32[np.ndarray, "rows columns 3"]) -> Self:
        """Split a panorama, turned so that its lamp is behind the camera.

        Args:
            panorama: Equirectangular, scene-linear.
        """
        directions, solid = _sphere(*panorama.shape[:2])
        luminance = panorama.mean(axis=2)
        panorama = luminance[..., None] + _SATURATION * (panorama - luminance[..., None])
        smooth = gaussian_filter(luminance, _BLUR_PX, mode=("nearest", "wrap"))
        row, column = np.unravel_index(int(smooth.argmax()), smooth.shape)
        peak = directions[row, column]
        directions = directions @ _turn(float(np.arctan2(peak[0], -peak[2])))
        towards = directions[row, column]
        is_lamp = (directions @ towards > np.cos(np.radians(_CONE_DEG))) & (luminance > np.mean(luminance))
        weights = solid[..., None] * panorama
        lamp_rgb = weights[is_lamp].sum(axis=0) / np.pi
        spread = np.arccos(np.clip(directions[is_lamp] @ towards, -1, 1))
        angle_deg = 2 * np.degrees(np.average(spread, weights=weights[is_lamp].sum(axis=1)))
        rest = _harmonics(directions[~is_lamp]).T @ weights[~is_lamp] * _COSINE[:, None]
        everywhere = rest[0] * _CONSTANT  # the mean over all directions
        lamp_rgb *= min(1.0, _MOST_CONTRAST * everywhere.mean() / max(float(lamp_rgb.mean()), 1e-9))
        white = lamp_rgb + everywhere
        balance = (white / white.mean()) ** -_BALANCED / white.mean()
        x, y, z = (float(value) for value in towards)
        return cls(
            lamp=Light(
                direction=(x, y, z), angle_deg=float(np.clip(angle_deg, *_ANGLES_DEG)), key=1.0, fill=1.0
            ),
            lamp_rgb=(lamp_rgb * balance).astype(np.float32),
            rest=(rest * balance).astype(np.float32),
        )

    def turned(self, azimuth_rad: float) -> Self:
        """Return the light of the same place, its lamp at an angle from the camera's own direction.

        Args:
            azimuth_rad: 0 is a lamp behind the camera, positive ones are to its right.
        """
        x, y, z = (float(value) for value in np.array(self.lamp.direction) @ _turn(-azimuth_rad))
        lamp = self.lamp.model_copy(update={"direction": (x, y, z)})
        return replace(self, lamp=lamp, azimuth_rad=self.azimuth_rad + azimuth_rad)

    def around(self, normals: Float32[np.ndarray, "verts 3"]) -> Float32[np.ndarray, "verts 3"]:
        """Return what a white surface sends out because of all light but the lamp's, if nothing hides it."""
        before = normals @ _turn(self.azimuth_rad).astype(np.float32)
        sent: Float32[np.ndarray, "verts 3"] = np.maximum(_harmonics(before) @ self.rest, 0)
        return sent.astype(np.float32)


def choose_room_light(rng: np.random.Generator) -> RoomLight:
    """Return the light of a random panorama, its lamp in a random direction on the camera's side.

    Raises:
        RenderError: There is no bpy for this Python.
    """
    rooms = _rooms()
    room = rooms[int(rng.integers(len(rooms)))]
    return room.turned(float(rng.uniform(-1, 1) * _LARGEST_AZIMUTH_RAD))


@cache
def _rooms() -> tuple[RoomLight, ...]:
    """Return the light of every place; splitting a panorama takes ten times as long as turning its light."""
    return tuple(RoomLight.of(_shrunk(read_hdr(path))) for path in panorama_files())


def _turn(angle_rad: float) -> Float[np.ndarray, "3 3"]:
    """Return what rows of directions are multiplied with to turn them about the upright axis."""
    cosine, sine = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]])


def _shrunk(panorama: Float32[np.ndarray, "rows columns 3"]) -> Float32[np.ndarray, "fewer fewer 3"]:
    rows, columns = (size // _SHRINK for size in panorama.shape[:2])
    blocks = panorama[: rows * _SHRINK, : columns * _SHRINK].reshape(rows, _SHRINK, columns, _SHRINK, 3)
    small: Float32[np.ndarray, "fewer fewer 3"] = blocks.mean(axis=(1, 3))
    return small


def _sphere(
    rows: int, columns: int
) -> tuple[Float[np.ndarray, "rows columns 3"], Float[np.ndarray, "rows columns"]]:
    """Return the direction of every pixel of a panorama in camera axes, and its solid angle."""
    latitude = (0.5 - (np.arange(rows) + 0.5) / rows)[:, None] * np.pi
    longitude = ((np.arange(columns) + 0.5) / columns)[None] * 2 * np.pi
    across = np.cos(latitude)
    up = np.broadcast_to(np.sin(latitude), (rows, columns))
    directions = np.stack([across * np.sin(longitude), -up, across * np.cos(longitude)], axis=2)
    return directions, np.broadcast_to(across * (np.pi / rows) * (2 * np.pi / columns), (rows, columns))


_CONSTANT: Final = 0.282095
"""The first harmonic."""


def _harmonics(directions: Float[np.ndarray, "points 3"]) -> Float[np.ndarray, "points 9"]:
    """Return the real spherical harmonics up to the second order."""
    x, y, z = directions.T
    return np.stack(
        [
            np.full(len(x), _CONSTANT),
            0.488603 * y,
            0.488603 * z,
            0.488603 * x,
            1.092548 * x * y,
            1.092548 * y * z,
            0.315392 * (3 * z * z - 1),
            1.092548 * x * z,
            0.546274 * (x * x - y * y),
        ],
        axis=1,
    )
