"""What is known about a render: its labels, and how it was made. Stored as JSON in synthetic shards."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final

import numpy as np
from annotated_types import Len
from jaxtyping import Float32
from pydantic import FiniteFloat

from shared.errors import ShardError
from shared.images import Rgb, decode_rgb
from shared.records import Record
from shared.twins.names import ImagePx, RoundIndex, SampleName
from shared.twins.variation import NOT_TURNED, Turn
from shared.types import NUM_JOINTS, Camera

LOOK_VERSION: Final = 8
"""To be raised whenever the same request gives another picture, for example in another light.

So no round and no data set mixes two looks.
"""


class Light(Record):
    """The light of one picture.

    Attributes:
        direction: From the hand towards the key light, camera axes, unit length.
        angle_deg: Apparent diameter of the key light; larger is softer.
        key: Strength of the key light.
        fill: Strength of the light that comes from everywhere.
    """

    direction: tuple[float, float, float]
    angle_deg: float
    key: float
    fill: float


class BackgroundCrop(Record):
    """The part of a photograph that was used as a background.

    Attributes:
        key: Name of the photograph in the background database.
        left_px: First column of the square crop.
        top_px: First row of the square crop.
        side_px: Rows and columns of the crop, before it was resized to the picture.
    """

    key: str
    left_px: int
    top_px: int
    side_px: int


class SyntheticLabels(Record):
    """What is true about one render.

    Attributes:
        sample_id: Name of the twin, after the photograph whose prediction was drawn.
        round_index: Round whose model predicted the hand.
        joints_m: The predicted joints, in the frame of the drawn vertices.
        camera: Camera of the whole picture.
        image_px: Side of the square picture.
        skin_rgb: Colour of the hand, sRGB in [0, 1].
        background: What is behind the hand.
        light: What the hand was lit with.
        seed: Source of every random choice of this picture.
        turn: How the prediction was turned before it was drawn, about the mean of its joints, in camera axes.
    """

    sample_id: SampleName
    round_index: RoundIndex
    joints_m: Annotated[tuple[tuple[FiniteFloat, FiniteFloat, FiniteFloat], ...], Len(NUM_JOINTS, NUM_JOINTS)]
    camera: Camera
    image_px: ImagePx
    skin_rgb: tuple[float, float, float]
    background: BackgroundCrop
    light: Light
    seed: int
    turn: Turn = NOT_TURNED


class Provenance(Record):
    """How a shard was made: enough to make it again, and to see whether two shards may be mixed.

    Attributes:
        bpy_version: Version of Blender.
        engine: Render engine.
        samples: Samples per pixel.
        device: Device that was really used, as read back from Blender.
        settings_sha256: Hash of all render settings, and of how the hands were varied.
        hand_model_sha256: Hash of the hand model whose faces were drawn.
        backgrounds_fingerprint: Identity of the background database.
        checkpoint_sha256: Hash of the weights that predicted; empty if unknown.
        config_sha256: Hash of the run's resolved configuration; empty if unknown.
        predictions_sha256: Hash of the prediction shard that was drawn.
        round_index: Round of the predictions.
        run_seed: Seed of the run.
    """

    bpy_version: str
    engine: str
    samples: int
    device: str
    settings_sha256: str
    hand_model_sha256: str
    backgrounds_fingerprint: str
    checkpoint_sha256: str
    config_sha256: str
    predictions_sha256: str
    round_index: RoundIndex
    run_seed: int


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SyntheticSample:
    """One twin, as it is stored in a shard.

    Attributes:
        jpeg: The encoded picture.
        mask_png: Coverage of the hand, 8-bit grey; 255 is all hand.
        verts_m: The vertices that were drawn, camera axes.
        labels: Everything else that is true about it.
        extras: Further members by extension, for example ``depth.npy``.
    """

    jpeg: bytes
    mask_png: bytes
    verts_m: Float32[np.ndarray, "verts 3"]
    labels: SyntheticLabels
    extras: Mapping[str, bytes] = field(default_factory=dict)

    def rgb(self) -> Rgb:
        """Decode the picture.

        Raises:
            ShardError: It is damaged, although its checksum was right.
        """
        try:
            return decode_rgb(self.jpeg)
        except ValueError as error:
            raise ShardError(
                f"{self.labels.sample_id}: expected a decodable twin, {error}.",
                remedy="Render the round again.",
            ) from error

    @property
    def joints_m(self) -> Float32[np.ndarray, "joints 3"]:
        """The joints that belong to `verts_m`, in the same frame."""
        return np.array(self.labels.joints_m, dtype=np.float32)
