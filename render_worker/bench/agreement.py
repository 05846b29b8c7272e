"""Whether two devices render the same hand: where it is, and how bright it is."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float32

from render_worker.picture.request import HandLayer
from shared.colour import linear_to_srgb

_STEPS: Final = 255
"""Of a colour in a file."""


class Agreement(NamedTuple):
    """How far the pictures of one device are from those of another.

    Attributes:
        overlap: Intersection over union of the pixels that the hand covers at least half.
        mean_difference: Of the mean colour where both see only hand, in sRGB steps of 1/255; the channel that
            differs most.
    """

    overlap: float
    mean_difference: float


def agreement(
    layers: Sequence[HandLayer], reference: Sequence[HandLayer], *, width_px: int, height_px: int
) -> Agreement:
    """Compare hands that two devices drew from the same requests.

    Args:
        layers: Of one device.
        reference: Of the other, in the same order.
        width_px: Columns of the pictures.
        height_px: Rows of the pictures.
    """
    ours, theirs = (
        np.stack([_on_picture(layer, width_px, height_px) for layer in some]) for some in (layers, reference)
    )
    our_hand, their_hand = ours[..., 3] >= 0.5, theirs[..., 3] >= 0.5
    inside = (ours[..., 3] > 0.999) & (theirs[..., 3] > 0.999)
    difference = linear_to_srgb(ours[inside][:, :3]) - linear_to_srgb(theirs[inside][:, :3])
    return Agreement(
        overlap=float((our_hand & their_hand).sum() / (our_hand | their_hand).sum()),
        mean_difference=float(_STEPS * np.abs(difference.mean(axis=0)).max()),
    )


def _on_picture(layer: HandLayer, width_px: int, height_px: int) -> Float32[np.ndarray, "height width 4"]:
    picture = np.zeros((height_px, width_px, 4), np.float32)
    picture[layer.box.rows, layer.box.columns] = layer.rgba
    return picture
