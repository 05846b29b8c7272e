from pathlib import Path

import numpy as np

from shared.camera import project_px
from shared.twins.predictions import PredictionShard
from tests.support.small_dataset import small_split
from trainer.recycle.ground_truth import ground_truth_hands


def test_labels_are_drawn_where_they_are_in_the_photograph(tmp_path: Path) -> None:
    """A fitted weak-perspective camera would be off by pixels; FreiHAND gives K."""
    split = small_split(tmp_path, "training", num_images=3)
    hands = ground_truth_hands(split, [2, 0])
    shard = PredictionShard(
        sample_ids=hands.sample_ids,
        verts_m=hands.verts_m,
        joints_m=hands.joints_m,
        cameras=hands.cameras,
        round_index=0,
        image_px=split.image_px,
    )
    assert shard.sample_ids == ("00000002", "00000000")
    for row, pose in enumerate((2, 0)):
        drawn_px = project_px(shard.joints_m[row], shard.camera(row), size_px=shard.image_px)
        labelled_px = project_px(split.joints_m[pose], split.camera(pose))
        np.testing.assert_allclose(drawn_px, labelled_px, atol=1e-3)
