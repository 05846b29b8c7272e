"""Photographs that are not square become squares about their hands, with cameras that belong to them."""

from pathlib import Path

import numpy as np
import pytest

from shared.camera import project_px
from shared.errors import DatasetError
from shared.freihand import FreiHandSplit
from shared.freihand.label_check import check_labels
from shared.hand_model import load_hand_model
from tests.support.published.layout import SIZES, write_layout
from trainer.import_dataset.importer import ImportSettings, import_dataset
from trainer.import_dataset.readers.layout import Layout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("source")
    write_layout(root)
    return root


def test_every_joint_is_at_the_pixel_that_showed_it(source: Path, tmp_path: Path) -> None:
    """Red is the column and green the row of the photograph: a joint is where its own camera puts it."""
    report = import_dataset(Layout(source), tmp_path / "out", load_hand_model(), settings=ImportSettings())
    assert (report.images, report.left_out.total()) == ({"training": len(SIZES)}, 0)
    squares, before = FreiHandSplit(tmp_path / "out", "training"), FreiHandSplit(source, "training")
    assert squares.image_px == 224
    for index, (width, height) in enumerate(SIZES):
        np.testing.assert_allclose(squares.joints_m[index], before.joints_m[index], atol=1e-6)
        (fx, _, cx), (_, fy, cy), _ = before.intrinsics[index].tolist()
        rgb, seen = squares.image(index), 0
        for joint_m, place_px in zip(
            squares.joints_m[index], project_px(squares.joints_m[index], squares.camera(index)), strict=True
        ):
            x_px, y_px = fx * joint_m[0] / joint_m[2] + cx, fy * joint_m[1] / joint_m[2] + cy
            if 1 < x_px < width - 2 and 1 < y_px < height - 2:
                column, row = np.rint(place_px).astype(int)
                np.testing.assert_allclose(rgb[row, column, :2], (x_px, y_px), atol=2.5)
                seen += 1
        assert seen > 10
    check_labels(squares, load_hand_model())


def test_the_reader_of_trainings_says_what_to_do_with_such_photographs(source: Path) -> None:
    with pytest.raises(
        DatasetError, match=r"expected a square image, found 200 x 120.*import-dataset layout"
    ):
        _ = FreiHandSplit(source, "training").image_px


def test_a_folder_of_something_else_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="expected training/rgb or evaluation/rgb, found neither"):
        Layout(tmp_path)
