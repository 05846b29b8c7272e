"""FreiHAND's layout with photographs of all shapes, whose colours say where each pixel was."""

from pathlib import Path

import numpy as np
from PIL import Image

from shared.freihand.writer import FreiHandWriter
from tests.support.published.coco_wholebody import gradient
from tests.support.small_dataset import labelled_hand, noise_jpeg

SIZES = ((200, 120), (130, 240), (160, 160))
FOCAL_PX = 330.0


def write_layout(root: Path) -> None:
    """Write three hands in photographs of other sizes, whose cameras look past the middle."""
    writer = FreiHandWriter(root, "training", num_images=len(SIZES))
    for index in writer.missing():
        writer.add(labelled_hand(index), noise_jpeg(index), mask_jpeg=None)
    writer.finish()
    cameras = []
    for index, (width, height) in enumerate(SIZES):
        cameras.append([[FOCAL_PX, 0, width / 2 - 10.5], [0, FOCAL_PX + 7, height / 2 + 4.25], [0, 0, 1]])
        path = root / f"training/rgb/{index:08d}.jpg"
        Image.fromarray(gradient(width, height)).save(path, quality=100, subsampling=0)
    (root / "training_K.json").write_text(str(np.array(cameras).tolist()))
