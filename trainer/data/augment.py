"""Random changes of the input: one warp for photograph, twin and labels, and noise of the colours."""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Float32

from trainer.config.sections import AugmentConfig
from trainer.data.resampling import Image, sample_square, turn_matrix


@dataclass(frozen=True, slots=True)
class Warp:
    """What the network's crop shows of the photograph.

    A point of the photograph appears in the crop at ``magnification * R(rotation) * ndc + shift``, so that
    crop, resize and augmentation are a single interpolation.

    Attributes:
        magnification: Ndc of the crop per ndc of the photograph; 224 / 180 for FreiHAND's centre crop.
        rotation_rad: From x towards y, which is clockwise on the screen.
        shift_ndc: To the right and downwards.
    """

    magnification: float
    rotation_rad: float = 0.0
    shift_ndc: tuple[float, float] = (0.0, 0.0)

    def image(self, image: Image, *, size_px: int) -> Image:
        """Draw the crop of a square picture; black where it shows more than the picture.

        Where a pixel of the crop stands for several of the picture, these are averaged first.
        """
        # Pixels of a square of s are (ndc + 1) * s / 2 - 0.5; this is that, inverse warp, and that back.
        half_in, half_out = image.shape[0] / 2, size_px / 2
        inverse = self._rotation().T / self.magnification
        linear = inverse * (half_in / half_out)
        centre_ndc = np.full(2, 0.5 / half_out - 1) - self.shift_ndc
        offset_px = half_in * (inverse @ centre_ndc + 1) - 0.5
        return sample_square(image, linear, offset_px, size_px=size_px)

    def points_ndc(self, ndc: Float[np.ndarray, "points 2"]) -> Float[np.ndarray, "points 2"]:
        """Move points of the photograph to where the crop shows them."""
        moved: Float[np.ndarray, "points 2"] = (
            ndc @ (self.magnification * self._rotation().T) + self.shift_ndc
        )
        return moved.astype(np.float32)

    def points_m(self, points_m: Float[np.ndarray, "points 3"]) -> Float[np.ndarray, "points 3"]:
        """Turn a hand about the camera's axis, as the picture turns; magnification does not change a hand."""
        turned = points_m.astype(np.float32)
        turned[:, :2] = points_m[:, :2] @ self._rotation().T
        return turned

    @property
    def axes(self) -> Float[np.ndarray, "3 3"]:
        """The rotation that `points_m` applies."""
        axes = np.eye(3)
        axes[:2, :2] = self._rotation()
        return axes

    def places_in(self, other: "Warp") -> Float32[np.ndarray, "2 3"]:
        """Return where another crop of the photograph shows a place of this one: a matrix, and an offset."""
        linear = other.magnification / self.magnification * other._rotation() @ self._rotation().T
        offset_ndc = np.array(other.shift_ndc) - linear @ np.array(self.shift_ndc)
        return np.column_stack((linear, offset_ndc)).astype(np.float32)

    def _rotation(self) -> Float[np.ndarray, "2 2"]:
        return turn_matrix(self.rotation_rad)


def random_warp(config: AugmentConfig, rng: np.random.Generator, *, magnification: float) -> Warp:
    """Sample rotation, size and shift of a crop around the plain centre crop.

    As in FastMETRO, the crop's side is scaled: 0.75 to 1.25 of it magnify the hand by 1.33 to 0.80.
    """
    rotated = rng.random() < config.rotation_probability
    angle_deg = clipped_normal(rng, sd=config.rotation_sd_deg)
    scale = float(np.clip(rng.normal(1, config.scale_sd), 1 - config.scale_sd, 1 + config.scale_sd))
    right, down = rng.uniform(-config.shift_ndc, config.shift_ndc, size=2).tolist()
    return Warp(
        magnification=magnification / scale,
        rotation_rad=math.radians(angle_deg) if rotated else 0.0,
        shift_ndc=(right, down),
    )


def clipped_normal(rng: np.random.Generator, *, sd: float) -> float:
    """Sample a normal distribution about 0, clipped to two standard deviations."""
    return float(np.clip(rng.normal(0, sd), -2 * sd, 2 * sd))


def colour_noise(image: Image, rng: np.random.Generator, *, amount: float) -> Image:
    """Multiply each channel with a number within 1 ± amount."""
    gains = rng.uniform(1 - amount, 1 + amount, size=3)
    levels = np.arange(256)[:, None] * gains
    table = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return np.asarray(cv2.LUT(image, table[:, None]), dtype=np.uint8)
