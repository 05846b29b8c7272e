"""One twin: its picture, its joints, and labels that survive JSON."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from shared.errors import ShardError
from shared.images import decode_rgb
from shared.twins.sample import BackgroundCrop, Light, SyntheticLabels, SyntheticSample
from shared.types import WeakPerspective
from tests.support.small_dataset import noise_jpeg

JOINTS_M = np.random.default_rng(0).normal(scale=0.05, size=(21, 3)).astype(np.float32)
LABELS = SyntheticLabels(
    sample_id="00000042",
    round_index=3,
    joints_m=tuple((float(x), float(y), float(z)) for x, y, z in JOINTS_M),
    camera=WeakPerspective(scale=8.5, tx_m=0.01, ty_m=-0.02),
    image_px=224,
    skin_rgb=(0.5, 0.25, 0.125),
    background=BackgroundCrop(key="k" * 40, left_px=3, top_px=4, side_px=200),
    light=Light(direction=(0.0, -0.6, -0.8), angle_deg=20.0, key=2.0, fill=0.5),
    seed=11,
)
TWIN = SyntheticSample(
    jpeg=noise_jpeg(1), mask_png=b"", verts_m=np.zeros((778, 3), np.float32), labels=LABELS
)


def test_labels_survive_json_to_the_last_bit() -> None:
    again = SyntheticLabels.model_validate_json(LABELS.model_dump_json())
    assert again == LABELS
    np.testing.assert_array_equal(replace(TWIN, labels=again).joints_m, JOINTS_M)


def test_joints_are_in_the_precision_of_the_vertices() -> None:
    assert TWIN.joints_m.dtype == TWIN.verts_m.dtype == np.float32


def test_the_picture_is_that_of_its_file() -> None:
    np.testing.assert_array_equal(TWIN.rgb(), decode_rgb(noise_jpeg(1)))


def test_a_damaged_picture_is_named_and_the_remedy_is_to_render_again() -> None:
    with pytest.raises(ShardError, match="00000042: expected a decodable twin") as caught:
        replace(TWIN, jpeg=b"no picture").rgb()
    assert caught.value.remedy == "Render the round again."


@pytest.mark.parametrize("changes", [{"unknown": 1}, {"image_px": "large"}, {"light": None}])
def test_labels_with_other_fields_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SyntheticLabels.model_validate(LABELS.model_dump() | changes)
