"""The frames of a dataset as a video."""

import tempfile
from pathlib import Path
from typing import Final

import cv2

from shared.errors import DatasetError
from shared.freihand import FreiHandSplit, SplitName
from shared.storage.outputs import write_output

FRAMES_PER_S: Final = 30
NAME: Final = "film.mp4"


def write_film(root: Path, split: SplitName) -> Path:
    """Write the images of a split, in their order, as ``film.mp4`` beside their labels.

    Args:
        root: Folder of the dataset.
        split: Whose images are the frames.

    Raises:
        DatasetError: OpenCV cannot write a video.
    """
    images = FreiHandSplit(root, split)
    size = (images.image_px, images.image_px)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / NAME
        writer = cv2.VideoWriter(str(draft), cv2.VideoWriter.fourcc(*"mp4v"), FRAMES_PER_S, size)
        if not writer.isOpened():
            raise DatasetError(f"{root / NAME}: expected to write a video, found that OpenCV cannot.")
        for index in range(len(images)):
            writer.write(images.image(index)[..., ::-1].copy())
        writer.release()
        write_output(root / NAME, [draft.read_bytes()])
    return root / NAME
