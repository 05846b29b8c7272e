"""sRGB and scene-linear colour: files hold sRGB, light is added up in linear."""

from typing import Final

import numpy as np
from jaxtyping import Float, Float32, UInt8

_ENCODE_STEPS: Final = 1 << 16


def srgb_to_linear(srgb: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Decode sRGB in [0, 1] (IEC 61966-2-1).

    Example:
        >>> round(float(srgb_to_linear(np.array(0.5))), 4)
        0.214
    """
    curve = ((np.maximum(srgb, 0.04045) + 0.055) / 1.055) ** 2.4
    linear: Float[np.ndarray, "..."] = np.where(srgb <= 0.04045, srgb / 12.92, curve)
    return linear


def linear_to_srgb(linear: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Encode linear light; values outside [0, 1] are clipped, as in a file."""
    clipped = np.clip(linear, 0.0, 1.0)
    curve = 1.055 * np.maximum(clipped, 0.0031308) ** (1 / 2.4) - 0.055
    srgb: Float[np.ndarray, "..."] = np.where(clipped <= 0.0031308, 12.92 * clipped, curve)
    return srgb


_TO_LINEAR: Final = srgb_to_linear(np.arange(256) / 255).astype(np.float32)
_TO_SRGB8: Final = np.rint(255 * linear_to_srgb(np.arange(_ENCODE_STEPS) / (_ENCODE_STEPS - 1))).astype("u1")


def decode_srgb8(srgb8: UInt8[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
    """Return the linear light of 8-bit sRGB."""
    decoded: Float32[np.ndarray, "..."] = _TO_LINEAR.take(srgb8)  # half the time of an index
    return decoded


def encode_srgb8(linear: Float[np.ndarray, "..."]) -> UInt8[np.ndarray, "..."]:
    """Return 8-bit sRGB of linear light, clipped to [0, 1]; the inverse of `decode_srgb8`.

    Looked up, because a power per channel would cost more than everything else that composites a picture.
    The table is fine enough that rounding differs from the exact formula for one value in a hundred at most.
    """
    steps = np.clip(linear, 0.0, 1.0) * (_ENCODE_STEPS - 1) + 0.5
    encoded: UInt8[np.ndarray, "..."] = _TO_SRGB8.take(steps.astype(np.uint16))
    return encoded
