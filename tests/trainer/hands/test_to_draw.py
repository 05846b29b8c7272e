"""What is drawn has the labels that it was asked to show, whether sampled or somebody's photographs'."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.errors import DatasetError
from shared.freihand import SplitName
from shared.hand_model import load_hand_model
from shared.seams.hands_to_draw import HandsToDraw, HandsWanted
from tests.support.small_dataset import small_split
from trainer.hands.to_draw import hands_to_draw


def asked_for(dataset: Path | None = None, **wanted: Any) -> dict[SplitName, HandsToDraw]:
    return hands_to_draw(load_hand_model(), HandsWanted(dataset=dataset, **wanted))


def test_without_a_dataset_both_splits_are_sampled_and_share_no_hand() -> None:
    hands = asked_for(training=8, versions=4)
    assert [(some.num_images, some.num_versions) for some in hands.values()] == [(8, 4), (200, 1)]
    first, other = (some.hand_of(0).verts_m for some in hands.values())
    assert not np.array_equal(first, other)


def test_a_split_without_pictures_is_not_made() -> None:
    assert list(asked_for(evaluation=0)) == ["training"]


def test_a_dataset_without_any_picture_is_refused() -> None:
    with pytest.raises(DatasetError, match="expected pictures to draw, found none"):
        asked_for(training=0, evaluation=0)


def test_every_training_hand_is_drawn_where_its_photograph_shows_it(tmp_path: Path) -> None:
    split = small_split(tmp_path, "training")
    hands = asked_for(tmp_path, versions=2)
    assert list(hands) == ["training"]
    assert hands["training"].num_images == 2 * split.num_poses
    for pose in range(split.num_poses):
        hand = hands["training"].hand_of(pose)
        np.testing.assert_array_equal(hand.verts_m, split.verts_m[pose])
        np.testing.assert_array_equal(hand.joints_m, split.joints_m[pose])
        assert hand.camera == split.camera(pose)


def test_other_hands_are_another_source(tmp_path: Path) -> None:
    few, many = tmp_path / "few", tmp_path / "many"
    small_split(few, "training")
    small_split(many, "training", num_images=4)
    sources = {asked_for(dataset)["training"].source for dataset in (few, many, None)}
    assert len(sources) == 3


@pytest.mark.parametrize("sizes", [{"training": 4}, {"evaluation": 1}])
def test_more_than_a_dataset_has_is_refused(tmp_path: Path, sizes: dict[str, int]) -> None:
    small_split(tmp_path, "training")
    with pytest.raises(DatasetError, match="expected at most 3 training pictures"):
        asked_for(tmp_path, **sizes)


def test_hands_of_a_dataset_are_seen_as_in_their_photographs(tmp_path: Path) -> None:
    small_split(tmp_path, "training")
    with pytest.raises(DatasetError, match="--view-sd-deg: expected sampled hands, found 30"):
        asked_for(tmp_path, view_sd_deg=30)
