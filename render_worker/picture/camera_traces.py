"""What a camera leaves in a picture: exposure, colour cast, blur, few pixels, noise, sharpening."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from jaxtyping import Float, Float32, UInt8

from shared.colour import linear_to_srgb, srgb_to_linear

_TONES: Final = srgb_to_linear(np.arange(256) / 255)
_KNEE: Final = 0.7
"""Linear value above which a camera bends highlights instead of cutting them."""
_BRIGHT: Final = 0.5
"""Linear value at which the noise of `noise` is measured."""
_READ_SHARE: Final = 0.15
"""Part of the noise's variance that does not depend on the light."""
_LEAST_BLUR_PX: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraTraces:
    """One camera at one moment.

    Attributes:
        gains: Of red, green, and blue, in linear light: exposure and white balance.
        blur_px: Standard deviation of the lens's blur.
        motion_px: How far the picture moved while the shutter was open, across and down.
        resolution: Pixels of the camera per pixel of the picture, at most 1.
        noise: Standard deviation in 1/255 where the picture is bright; in darkness the signal is lost in it.
        grain_px: How coarse the noise is.
        sharpening: How much of the difference to a blurred picture is added.
    """

    gains: tuple[float, float, float]
    blur_px: float
    motion_px: tuple[float, float]
    resolution: float
    noise: float
    grain_px: float
    sharpening: float

    def leave(
        self, pixels: UInt8[np.ndarray, "height width 3"], rng: np.random.Generator
    ) -> UInt8[np.ndarray, "height width 3"]:
        """Return the picture as this camera takes it."""
        height, width = pixels.shape[:2]
        seen = np.asarray(cv2.LUT(pixels, self._tones()), np.float32)
        if np.hypot(*self.motion_px) >= 1:
            seen = _moved(seen, self.motion_px)
        if self.blur_px > _LEAST_BLUR_PX:
            seen = np.asarray(cv2.GaussianBlur(seen, (0, 0), self.blur_px))
        if self.resolution < 1:
            fewer = (max(1, round(width * self.resolution)), max(1, round(height * self.resolution)))
            seen = np.asarray(cv2.resize(seen, fewer, interpolation=cv2.INTER_AREA))
        if self.noise > 0:
            seen = seen + self._noise(seen, rng)
        if self.sharpening > 0:
            seen = seen + self.sharpening * (seen - np.asarray(cv2.GaussianBlur(seen, (0, 0), 1.0)))
        if self.resolution < 1:
            seen = np.asarray(cv2.resize(seen, (width, height), interpolation=cv2.INTER_CUBIC))
        return np.clip(np.rint(seen), 0, 255).astype(np.uint8)

    def _tones(self) -> Float32[np.ndarray, "1 256 3"]:
        """Return what every value becomes, in each channel."""
        linear = _TONES[:, None] * np.array(self.gains)
        room = 1 - _KNEE
        bent = np.where(linear > _KNEE, 1 - room * np.exp((_KNEE - linear) / room), linear)
        tones = bent if max(self.gains) > 1 else linear
        curve: Float32[np.ndarray, "1 256 3"] = (255 * linear_to_srgb(tones))[None].astype(np.float32)
        return curve

    def _noise(
        self, seen: Float32[np.ndarray, "..."], rng: np.random.Generator
    ) -> Float32[np.ndarray, "..."]:
        grain = rng.standard_normal(seen.shape, dtype=np.float32)
        if self.grain_px > _LEAST_BLUR_PX:  # cameras smooth what they can: what stays is coarse
            grain = np.asarray(cv2.GaussianBlur(grain, (0, 0), self.grain_px))
            grain *= np.float32(2 * np.sqrt(np.pi) * self.grain_px)
        curve = (self.noise * _relative_noise(sum(self.gains) / 3)).astype(np.float32)
        noise: Float32[np.ndarray, "..."] = grain * curve[np.clip(seen, 0, 255).astype(np.uint8)]
        return noise


def _relative_noise(gain: float) -> Float[np.ndarray, " 256"]:
    """Return the noise of every sRGB value relative to that of a bright one in good light.

    Light comes in photons: the variance of a linear value grows with it (shot noise), above a floor. A dim
    scene that was made brighter has few of them.
    """
    variance = (1 - _READ_SHARE) * _TONES / _BRIGHT + _READ_SHARE
    slope = np.gradient(np.arange(256) / 255, _TONES)  # of the tone curve: it lifts the shadows
    relative = np.sqrt(variance) * np.minimum(slope, 4.0)
    at_bright = float(np.interp(_BRIGHT, _TONES, relative))
    curve: Float[np.ndarray, " 256"] = relative / at_bright / np.sqrt(max(gain, 0.1))
    return curve


def _moved(
    pixels: Float32[np.ndarray, "height width 3"], motion_px: tuple[float, float]
) -> Float32[np.ndarray, "height width 3"]:
    across, down = motion_px
    reach = int(np.ceil(max(abs(across), abs(down)) / 2))
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    for share in np.linspace(-0.5, 0.5, 4 * reach + 1):
        kernel[round(reach + share * down), round(reach + share * across)] += 1
    return np.asarray(cv2.filter2D(pixels, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT))


def cast_shadow(
    photograph: UInt8[np.ndarray, "height width 3"],
    coverage: Float32[np.ndarray, "height width"],
    *,
    offset_px: tuple[float, float],
    blur_px: float,
    strength: float,
) -> UInt8[np.ndarray, "height width 3"]:
    """Return a photograph, seen as a wall close behind something, with the shadow of it.

    Args:
        photograph: What is behind.
        coverage: By what is before it.
        offset_px: From the thing to its shadow.
        blur_px: Softness.
        strength: Share of the light that is missing in its middle.
    """
    height, width = coverage.shape
    shift = np.array([[1, 0, offset_px[0]], [0, 1, offset_px[1]]], np.float32)
    shadow = cv2.warpAffine(coverage, shift, (width, height), borderMode=cv2.BORDER_REPLICATE)
    shadow = np.asarray(cv2.GaussianBlur(shadow, (0, 0), blur_px))
    left: Float[np.ndarray, "..."] = (1 - strength * shadow[..., None]) ** (1 / 2.2)
    shaded: UInt8[np.ndarray, "height width 3"] = np.rint(photograph * left).astype(np.uint8)
    return shaded
