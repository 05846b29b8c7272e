"""Labels that would be trained on in silence: the whole set is looked at."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from shared.errors import ConfigError, DatasetError, MeshcycleError
from shared.freihand import FreiHandSplit
from shared.freihand.label_check import check_labels
from shared.hand_model import load_hand_model
from tests.support.small_dataset import small_split

type Labels = dict[str, np.ndarray]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    small_split(tmp_path, "training", num_images=5)
    return tmp_path


def test_labels_as_they_should_be_are_accepted(root: Path) -> None:
    check_labels(FreiHandSplit(root, "training"), load_hand_model())


def scale(labels: Labels, factor: float) -> None:
    labels["xyz"][3] *= factor
    labels["verts"][3] *= factor


def mirror(labels: Labels) -> None:
    for kind in ("xyz", "verts"):
        labels[kind][3, :, 0] *= -1


def behind(labels: Labels) -> None:
    for kind in ("xyz", "verts"):
        labels[kind][3] *= -1


def camera(labels: Labels, change: Callable[[np.ndarray], np.ndarray]) -> None:
    labels["K"][3] = change(labels["K"][3])


def swap(labels: Labels, kind: str) -> None:
    labels[kind][3] = np.roll(labels[kind][3], 4, axis=0)


def other_hand(labels: Labels) -> None:
    labels["verts"][3] = labels["verts"][0]


@pytest.mark.parametrize(
    ("spoil", "error", "complaint"),
    [
        (lambda each: scale(each, 1000), DatasetError, "hands in metres"),
        (lambda each: scale(each, 100), DatasetError, "hands in metres"),
        (lambda each: scale(each, 0.1), DatasetError, "hands in metres"),
        (mirror, DatasetError, "right hands"),
        (behind, DatasetError, "in front of the camera"),
        (lambda each: camera(each, lambda k: 0 * k), DatasetError, "cameras"),
        (lambda each: camera(each, lambda k: k.T), DatasetError, "cameras"),
        (lambda each: camera(each, lambda k: k * (0, 1, 1)), DatasetError, "cameras"),
        (lambda each: camera(each, lambda k: k + 1e6 * np.eye(3, k=2)), DatasetError, "cameras"),
        (lambda each: camera(each, lambda k: k + 300 * np.eye(3, k=2)), DatasetError, "photograph shows"),
        (lambda each: swap(each, "xyz"), MeshcycleError, "expected"),
        (lambda each: swap(each, "verts"), ConfigError, "regresses from the vertices"),
        (other_hand, ConfigError, "regresses from the vertices"),
    ],
)
def test_one_wrong_label_among_right_ones_is_named(
    root: Path, spoil: Callable[[Labels], None], error: type[MeshcycleError], complaint: str
) -> None:
    labels = {
        kind: np.array(json.loads((root / f"training_{kind}.json").read_text()))
        for kind in ("K", "xyz", "verts")
    }
    spoil(labels)
    for kind, numbers in labels.items():
        (root / f"training_{kind}.json").write_text(json.dumps(numbers.tolist()))
    with pytest.raises(error, match=rf"{complaint}.*1 of 5 \(00000003\)"):
        check_labels(FreiHandSplit(root, "training"), load_hand_model())
