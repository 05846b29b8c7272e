"""Strangers' photographs with MediaPipe's landmarks as weak labels: where joints appear, nothing in space.

`import_keypoints` makes a source with ``labels = "keypoints"`` of them. What is untouched stays out.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
from jaxtyping import Float32

from shared.images import Rgb
from tools.open_model.photographs import landmarked_hands
from trainer.import_dataset.reader import LeftOut, SourceHand
from trainer.photographs.files import read_photograph

LEAST_SIDE_SCORE: Final = 0.8
"""Below, MediaPipe doubts which hand it is, and a wrong side would teach backs as palms."""


class LandmarkedPhotographs:
    """A `trainer.import_dataset.keypoints.KeypointReader` of photographs with landmarks.

    Args:
        source: Of `landmarked_hands`.

    Raises:
        DatasetError: Something of it is missing.
    """

    title: ClassVar[str] = "photographs with landmarks"

    def __init__(self, source: Path) -> None:
        self._hands = [hand for hand in landmarked_hands(source) if not hand.is_untouched]

    def hands(self) -> Iterator[SourceHand]:
        """Go through the hands of photographs that are not untouched."""
        for row, hand in enumerate(self._hands):
            yield SourceHand(
                photograph=f"{hand.folder}/{hand.path.name}, hand {row}",
                subject="",
                sequence=hand.folder,
                side=hand.side,
                split="training",
                row=row,
            )

    def keypoints(self, hand: SourceHand) -> Float32[np.ndarray, "21 3"]:
        """Return column, row and 1 of the joints.

        Raises:
            LeftOut: MediaPipe doubts the side.
        """
        found = self._hands[hand.row]
        if found.side_score < LEAST_SIDE_SCORE:
            raise LeftOut("MediaPipe doubts which hand it is")
        return np.column_stack((found.joints_px, np.ones(len(found.joints_px)))).astype(np.float32)

    def photograph(self, hand: SourceHand) -> Rgb:
        """Decode the photograph that shows a hand."""
        return read_photograph(self._hands[hand.row].path)
